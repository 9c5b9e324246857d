import { shaders } from '#runtime/gpu/shaders';
import { type Gpu, Usage, WORDS } from './device.ts';

export type ShaderName = keyof typeof shaders;
export type Sources = Readonly<Record<ShaderName, string>>;

export type Constants = Readonly<Record<string, number | boolean>>;

/** One compiled variant of a shader: a pipeline with its override constants set. */
interface Variant {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

/** A variant, with the sizes that it is to work on. */
export interface Kernel extends Variant {
  /** struct Sizes of shaders/sizes.wgsl. */
  readonly sizes: GPUBuffer;
}

/** Where shaders/sizes.wgsl has it. */
const SIZES_BINDING = 15;

/**
 * Compiles shaders. A kernel is a few WGSL files after one another, the last holding the entry point `main`; files give it
 * shared functions. Equal requests share one pipeline, whatever their sizes, and variants of one list of files share their bind group layout.
 */
export class Kernels {
  private readonly gpu: Pick<Gpu, 'device' | 'upload' | 'wait'>;
  private readonly sources: Sources;
  private readonly modules = new Map<string, Promise<GPUShaderModule>>();
  private readonly layouts = new Map<string, GPUBindGroupLayout>();
  private readonly variants = new Map<string, Promise<Variant>>();
  private readonly sizes = new Map<string, GPUBuffer>();

  constructor(gpu: Pick<Gpu, 'device' | 'upload' | 'wait'>, sources: Sources = shaders) {
    this.gpu = gpu;
    this.sources = sources;
  }

  /** How many different pipelines were made. */
  get compiled(): number {
    return this.variants.size;
  }

  /**
   * `constants`: override constants and sizes, of which a kernel takes those that its files name: a caller can pass one set to all kernels.
   * @throws Error with the compiler's message.
   */
  async compile(files: readonly ShaderName[], constants: Constants): Promise<Kernel> {
    const code = files.map((file) => this.sources[file]).join('\n');
    const sizes = this.sizesFor(files, code, constants);
    const declared = Array.from(code.matchAll(/^override (\w+):/gm), ([, name]) => name);
    const given = declared.filter((name) => name in constants).map((name) => [name, Number(constants[name])]);
    const key = JSON.stringify([files, given]);
    let variant = this.variants.get(key);
    if (!variant) {
      variant = this.build(files, code, Object.fromEntries(given));
      this.variants.set(key, variant);
    }
    return { ...(await variant), sizes };
  }

  private async build(
    files: readonly ShaderName[],
    code: string,
    constants: Record<string, number>,
  ): Promise<Variant> {
    const { device } = this.gpu;
    const label = files.at(-1);
    const layout = this.layout(files.join(), code);
    const module = await this.module(files, code);
    const pipeline = await this.gpu.wait(
      device.createComputePipelineAsync({
        label,
        layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
        compute: { module, entryPoint: 'main', constants },
      }),
    );
    return { pipeline, layout };
  }

  /** struct Sizes: its members in order, four bytes each; 0 where the kernel does not read one. */
  private sizesFor(files: readonly ShaderName[], code: string, constants: Constants): GPUBuffer {
    const members = [...this.sources.sizes.matchAll(/^\s*(\w+): ?([uf])32,/gm)];
    const data = new DataView(new ArrayBuffer(4 * members.length));
    for (const [i, [, name, type]] of members.entries()) {
      if (!new RegExp(`\\bsizes\\.${name}\\b`).test(code)) continue;
      if (!(name in constants)) throw new Error(`${files.at(-1)}.wgsl has to be given ${name}`);
      if (type === 'f') data.setFloat32(4 * i, Number(constants[name]), true);
      else data.setUint32(4 * i, Number(constants[name]), true);
    }
    const words = new Uint32Array(data.buffer);
    let sizes = this.sizes.get(words.join());
    if (!sizes) {
      sizes = this.gpu.upload('sizes', words, Usage.UNIFORM | Usage.COPY_DST);
      this.sizes.set(words.join(), sizes);
    }
    return sizes;
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
        if (refused)
          throw new Error(`${label}.wgsl does not compile: ${refused.message}`, { cause: refused });
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
        /@group\(0\) ?@binding\((\d+)\) ?var(?:<(?:(uniform)|storage, ?(read|read_write))>| \w+: ?texture_)/g,
      );
      const types = { uniform: 'uniform', read: 'read-only-storage', read_write: 'storage' } as const;
      layout = this.gpu.device.createBindGroupLayout({
        entries: Array.from(bindings, ([, binding, uniform, storage]) => ({
          binding: Number(binding),
          visibility: 4, // compute
          ...(uniform || storage
            ? { buffer: { type: types[(uniform ?? storage) as keyof typeof types] } }
            : { storageTexture: { access: 'read-only', format: WORDS } }),
        })),
      });
      this.layouts.set(key, layout);
    }
    return layout;
  }

  /** A bind group of whole buffers and textures, at bindings 0, 1, …, and of the kernel's sizes. `label`: what for. */
  bind({ layout, sizes }: Kernel, bound: readonly (GPUBuffer | GPUTexture)[], label?: string): GPUBindGroup {
    const entries: GPUBindGroupEntry[] = bound.map((each, binding) => ({
      binding,
      resource: 'createView' in each ? each.createView() : { buffer: each },
    }));
    entries.push({ binding: SIZES_BINDING, resource: { buffer: sizes } });
    return this.gpu.device.createBindGroup({ label, layout, entries });
  }
}
