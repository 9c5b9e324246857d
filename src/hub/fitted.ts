import { basename, dirname, join, resolve } from 'node:path';
import { filesIn } from '../checkpoint/files.ts';
import type { ModelFiles } from '../checkpoint/source.ts';
import { isCommit } from './name.ts';

/**
 * Where the sampler options stand that were fitted here to the model of a folder. A snapshot is what its commit is, for all who share
 * the cache: beside the snapshots, then, and by the commit whose weights they were fitted to.
 */
export function fittedDefaults(dir: string): string {
  const snapshot = resolve(dir);
  const [commit, snapshots, model] = [0, 1, 2].map((up) => basename(resolve(snapshot, '../'.repeat(up))));
  const isSnapshot = isCommit(commit) && snapshots === 'snapshots' && model.startsWith('models--');
  return isSnapshot ? resolve(snapshot, '../../egps', `${commit}.json`) : join(dir, 'egps.json');
}

/** The same as a file to read, where it is another than the model's own egps.json. */
export function fittedBeside(model: string | ModelFiles): [files: ModelFiles, name: string] | undefined {
  if (typeof model !== 'string') return undefined;
  const file = fittedDefaults(model);
  return file === join(model, 'egps.json') ? undefined : [filesIn(dirname(file)), basename(file)];
}
