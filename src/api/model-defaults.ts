import { filesIn } from '#runtime/checkpoint/files';
import { fittedBeside } from '#runtime/hub/fitted';
import { readJson } from '../checkpoint/json.ts';
import type { ModelFiles } from '../checkpoint/source.ts';
import { type ModelDefaults, modelDefaults } from '../sampling/options.ts';

/**
 * The model's own egps.json, {} where there is none, and of a model of the Hub what was fitted to it here; `warn` is told what is
 * doubtful in them.
 * @throws CheckpointError
 */
export async function loadDefaults(
  dir: string | ModelFiles,
  warn?: (message: string) => void,
): Promise<ModelDefaults> {
  const own = await readDefaults(filesIn(dir), 'egps.json', warn);
  const fitted = fittedBeside(dir);
  return fitted ? { ...own, ...(await readDefaults(...fitted, warn)) } : own;
}

/** @throws CheckpointError */
export async function readDefaults(
  files: ModelFiles,
  name: string,
  warn?: (message: string) => void,
): Promise<ModelDefaults> {
  const json = await readJson(files, name, warn);
  return json === undefined ? {} : modelDefaults(files.path(name), json);
}
