import type { ModelFiles } from '../checkpoint/source.ts';

/** Nothing is fitted in a browser. */
export function fittedBeside(_model: string | ModelFiles): [files: ModelFiles, name: string] | undefined {
  return undefined;
}
