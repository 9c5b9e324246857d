import type { ModelConfig } from '../checkpoint/config.ts';
import { filesIn } from '../checkpoint/files.ts';
import type { ModelFiles } from '../checkpoint/source.ts';
import { Gpu } from '../gpu/device.ts';
import { findModel } from '../hub/find.ts';
import { RemoteModel } from '../hub/remote-model.ts';
import type { LoadOptions } from './load-model.ts';

export interface FoundModel {
  readonly files: ModelFiles;
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
    check(local.description.config);
    (await Gpu.open(options)).dispose(); // refuses an adapter that is not to be had
    local = await local.fetch({ signal, onProgress: onFetch });
  }
  return { files: filesIn(local.dir), warnings: local.warnings };
}
