/** What every `GPUDevice` has, whoever declares that type: so that the package's declarations need none of WebGPU's. */
export interface Device {
  /** A `GPUAdapterInfo`. */
  readonly adapterInfo: object;
  /** `GPUSupportedFeatures` */
  readonly features: object;
  /** `GPUSupportedLimits` */
  readonly limits: object;
  /** A `GPUQueue`. */
  readonly queue: object;
  /** Resolves when the device is lost. */
  readonly lost: Promise<unknown>;
  /** Makes a `GPUBuffer`. */
  createBuffer(descriptor: never): object;
  /** Makes a `GPUShaderModule`. */
  createShaderModule(descriptor: never): object;
}
