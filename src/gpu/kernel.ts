import { shaders } from '#runtime/gpu/shaders';
import type { Gpu } from './device.ts';

export type ShaderName = keyof typeof shaders;
export type Sources = Readonly<Record<ShaderName, string>>;

/** One compiled variant of a shader: a pipeline with its override constants set. */
export interface Kernel {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

/**
 * Compiles shaders. A kernel is a few WGSL files after one another, the last holding the entry point `main`; files give it
 * shared functions. Equal requests share one pipeline, and variants of one list of files share their bind group layout.
 */
export class Kernels {
  private readonly gpu: Pick<Gpu, 'device'>;
  private readonly sources: Sources;
  private readonly modules = new Map<string, Promise<GPUShaderModule>>();
  private readonly layouts = new Map<string, GPUBindGroupLayout>();
  private readonly compiled = new Map<string, Promise<Kernel>>();

  constructor(gpu: Pick<Gpu, 'device'>, sources: Sources = shaders) {
    this.gpu = gpu;
    this.sources = sources;
  }

  /** @throws Error with the compiler's message. */
  compile(files: readonly ShaderName[], constants: Record<string, number | boolean>): Promise<Kernel> {
    const key = JSON.stringify([files, constants]);
    let kernel = this.compiled.get(key);
    if (!kernel) {
      kernel = this.build(files, constants);
      this.compiled.set(key, kernel);
    }
    return kernel;
  }

  private async build(
    files: readonly ShaderName[],
    constants: Record<string, number | boolean>,
  ): Promise<Kernel> {
    const { device } = this.gpu;
    const code = files.map((file) => this.sources[file]).join('\n');
    const label = files.at(-1);
    const layout = this.layout(files.join(), code);
    const module = await this.module(files, code);
    // Only the constants these files declare: a caller can pass one set of sizes to all kernels.
    const declared = Object.entries(constants).filter(([name]) => code.includes(`override ${name}:`));
    const pipeline = await device.createComputePipelineAsync({
      label,
      layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
      compute: {
        module,
        entryPoint: 'main',
        constants: Object.fromEntries(declared.map(([name, value]) => [name, Number(value)])),
      },
    });
    return { pipeline, layout };
  }

  /** Parsed once for all variants. */
  private module(files: readonly ShaderName[], code: string): Promise<GPUShaderModule> {
    const key = files.join();
    let module = this.modules.get(key);
    if (!module) {
      const { device } = this.gpu;
      const label = files.at(-1);
      device.pushErrorScope('validation');
      const created = device.createShaderModule({ label, code });
      module = device.popErrorScope().then((refused) => {
        if (refused) throw new Error(`${label}.wgsl does not compile: ${refused.message}`);
        return created;
      });
      this.modules.set(key, module);
    }
    return module;
  }

  /** The layout as the source declares it. An explicit one, since bind groups of automatic layouts fit one pipeline only. */
  private layout(key: string, code: string): GPUBindGroupLayout {
    let layout = this.layouts.get(key);
    if (!layout) {
      const bindings = code.matchAll(
        /@group\(0\) @binding\((\d+)\) var<(uniform|storage, read|storage, read_write)>/g,
      );
      const types = {
        uniform: 'uniform',
        'storage, read': 'read-only-storage',
        'storage, read_write': 'storage',
      } as const;
      layout = this.gpu.device.createBindGroupLayout({
        entries: Array.from(bindings, ([, binding, kind]) => ({
          binding: Number(binding),
          visibility: 4, // compute
          buffer: { type: types[kind as keyof typeof types] },
        })),
      });
      this.layouts.set(key, layout);
    }
    return layout;
  }

  /** A bind group of whole buffers, at bindings 0, 1, … `label`: what for. */
  bind(layout: GPUBindGroupLayout, buffers: readonly GPUBuffer[], label?: string): GPUBindGroup {
    const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
    return this.gpu.device.createBindGroup({ label, layout, entries });
  }
}
