/** What every `GPUDevice` has, whoever declares that type: so that the package's declarations need none of WebGPU's. */
export interface Device {
  readonly adapterInfo: object;
  readonly features: object;
  readonly limits: object;
  readonly queue: object;
  readonly lost: Promise<unknown>;
  createBuffer(descriptor: never): object;
  createShaderModule(descriptor: never): object;
}
