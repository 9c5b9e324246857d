import { join } from 'node:path';
import { readJson } from '../checkpoint/json.ts';
import { fittedDefaults } from '../hub/cache.ts';
import { type ModelDefaults, modelDefaults } from '../sampling/options.ts';

/**
 * The model's own egps.json, {} where there is none, and of a model of the Hub what was fitted to it here; `warn` is told what is
 * doubtful in them.
 * @throws CheckpointError
 */
export async function loadDefaults(dir: string, warn?: (message: string) => void): Promise<ModelDefaults> {
  const files = new Set([join(dir, 'egps.json'), fittedDefaults(dir)]);
  return Object.assign({}, ...(await Promise.all([...files].map((file) => readDefaults(file, warn)))));
}

/** @throws CheckpointError */
export async function readDefaults(file: string, warn?: (message: string) => void): Promise<ModelDefaults> {
  const json = await readJson(file, warn);
  return json === undefined ? {} : modelDefaults(file, json);
}
