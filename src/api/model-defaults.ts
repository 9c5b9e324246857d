import { join } from 'node:path';
import { readJson } from '../checkpoint/json.ts';
import { type ModelDefaults, modelDefaults } from '../sampling/options.ts';

/** The model's own egps.json, {} where there is none; `warn` is told what is doubtful in it. @throws CheckpointError */
export async function loadDefaults(dir: string, warn?: (message: string) => void): Promise<ModelDefaults> {
  const file = join(dir, 'egps.json');
  const json = await readJson(file, warn);
  return json === undefined ? {} : modelDefaults(file, json);
}
