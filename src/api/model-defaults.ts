import { filesIn } from '#runtime/checkpoint/files';
import { readJson } from '../checkpoint/json.ts';
import type { ModelFiles } from '../checkpoint/source.ts';
import { type ModelDefaults, modelDefaults } from '../sampling/options.ts';

/** The model's own egps.json, {} where there is none; `warn` is told what is doubtful in it. @throws CheckpointError */
export async function loadDefaults(
  dir: string | ModelFiles,
  warn?: (message: string) => void,
): Promise<ModelDefaults> {
  const files = filesIn(dir);
  const name = 'egps.json';
  const json = await readJson(files, name, warn);
  return json === undefined ? {} : modelDefaults(files.path(name), json);
}
