/** What commands are recorded into: a compute pass, or a `Recording`. */
export interface Recorder {
  setPipeline(pipeline: GPUComputePipeline): void;
  setBindGroup(index: number, group: GPUBindGroup): void;
  dispatchWorkgroups(x: number, y?: number, z?: number): void;
}

export interface Dispatch {
  /** Its label is the kernel's file. */
  readonly pipeline: GPUComputePipeline;
  /** Its label says what the kernel is run for. */
  readonly group: GPUBindGroup;
  readonly size: readonly [x: number, y?: number, z?: number];
}

/** Keeps dispatches for whoever wants to run them one by one, and look on in between. */
export class Recording implements Recorder {
  readonly dispatches: Dispatch[] = [];
  private pipeline: GPUComputePipeline | undefined;
  private group: GPUBindGroup | undefined;

  setPipeline(pipeline: GPUComputePipeline): void {
    this.pipeline = pipeline;
  }

  setBindGroup(_index: number, group: GPUBindGroup): void {
    this.group = group;
  }

  dispatchWorkgroups(...size: Dispatch['size']): void {
    const { pipeline, group } = this;
    if (!pipeline || !group) throw new Error('a dispatch without a pipeline or a bind group');
    this.dispatches.push({ pipeline, group, size });
  }
}

export function play(pass: Recorder, { pipeline, group, size }: Dispatch): void {
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  pass.dispatchWorkgroups(...size);
}
