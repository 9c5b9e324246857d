import { kvTypeOf } from '../cache/kv-type.ts';
import type { ModelConfig } from '../checkpoint/config.ts';
import type { ModelFiles } from '../checkpoint/source.ts';
import { Gpu } from '../gpu/device.ts';
import { findModel } from '../hub/find.ts';
import { RemoteModel } from '../hub/remote-model.ts';
import { checkFits } from './fits.ts';
import type { LoadOptions } from './load-model.ts';
import { quantizeOf } from './quantize.ts';

export interface FoundModel {
  /** Or the folder that they are in. */
  readonly files: string | ModelFiles;
  /** What is doubtful about where they are, a line each; to be read once the model is loaded. */
  readonly warnings: readonly string[];
}

/**
 * The files of a model: of its folder, or by its name on the Hub.
 * @param check refuses what is not computed while that costs nothing
 */
export async function openModel(
  model: string,
  options: LoadOptions,
  check: (config: ModelConfig) => void,
): Promise<FoundModel> {
  const { signal, onFetch } = options;
  let local = await findModel(model, signal);
  if (local instanceof RemoteModel) {
    const { description } = local;
    check(description.config);
    const quantize = quantizeOf(options, description);
    const gpu = await Gpu.open(options); // refuses an adapter that is not to be had
    gpu.dispose();
    const { cachePositions, kvCache } = options;
    await checkFits(description, gpu.adapter, { cachePositions, quantize, kvType: kvTypeOf(kvCache) });
    local = await local.fetch({ signal, onProgress: onFetch });
  }
  return { files: local.dir, warnings: local.warnings };
}
