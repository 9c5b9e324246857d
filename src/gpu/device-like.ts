/** What every `GPUDevice` has, whoever declares that type: so that the package's declarations need none of WebGPU's. */
export interface Device {
  /** GPUAdapterInfo */
  readonly adapterInfo: object;
  /** GPUSupportedFeatures */
  readonly features: object;
  /** GPUSupportedLimits */
  readonly limits: object;
  /** GPUQueue */
  readonly queue: object;
  /** Resolves when the device is lost. */
  readonly lost: Promise<unknown>;
  /** GPUDevice.createBuffer */
  createBuffer(descriptor: never): object;
  /** GPUDevice.createShaderModule */
  createShaderModule(descriptor: never): object;
}
