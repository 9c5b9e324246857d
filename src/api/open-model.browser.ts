import { loadConfig, type ModelConfig } from '../checkpoint/config.ts';
import { addressOf } from '../checkpoint/files.browser.ts';
import { Address } from '../checkpoint/http/address.ts';
import { readJson } from '../checkpoint/json.ts';
import { SMALL_FILES } from '../checkpoint/model-folder.ts';
import { INDEX, SINGLE, shardsOf } from '../checkpoint/safetensors.ts';
import { Gpu } from '../gpu/device.ts';
import { isPath, parseName } from '../hub/name.ts';
import type { LoadOptions } from './load-model.ts';
import type { FoundModel } from './open-model.ts';

const HUB = 'https://huggingface.co';

/**
 * The files of a model: below its address, or by its name on the Hub.
 * @param check refuses what is not computed while that costs nothing
 */
export async function openModel(
  model: string,
  options: LoadOptions,
  check: (config: ModelConfig) => void,
): Promise<FoundModel> {
  const files = new Address(addressIn(model), options);
  check(await loadConfig(files));
  (await Gpu.open(options)).dispose(); // refuses an adapter that is not to be had
  await openAll(files);
  return { files, warnings: files.warnings };
}

/** As under Node a path begins with a dot or a slash, and a name of the Hub does not. @throws OptionError */
export function addressIn(model: string): URL {
  if (URL.canParse(model) || isPath(model)) return addressOf(model);
  const { id, revision } = parseName(model);
  return new URL(`${HUB}/${id}/resolve/${encodeURIComponent(revision)}/`);
}

/** All that is read of a model, side by side, so that it is known how much there is to fetch. */
async function openAll(files: Address): Promise<void> {
  const [weights] = await Promise.all([SINGLE, ...SMALL_FILES].map((name) => files.open(name)));
  if (weights) return;
  const index = await readJson(files, INDEX);
  if (index === undefined) return; // which is said where they are looked for
  await Promise.all([...shardsOf(files.path(INDEX), index)].map((shard) => files.open(shard)));
}
