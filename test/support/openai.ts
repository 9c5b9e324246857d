/** The client of OpenAI's, of the package in test/openai, which is installed where it is missing. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { npm } from './npm.ts';

// biome-ignore lint/suspicious/noExplicitAny: the package is not there when this is compiled
export type OpenAI = any;

/** Its module. */
export function openai(): OpenAI {
  const folder = resolve('test/openai');
  if (!existsSync(join(folder, 'node_modules'))) npm('ci --ignore-scripts', folder);
  return createRequire(join(folder, 'package.json'))('openai');
}
