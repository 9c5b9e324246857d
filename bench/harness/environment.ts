/** The record of where something was measured. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { arch, cpus, release, totalmem, type } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { adapterName } from '../../src/gpu/adapter.ts';

export interface Environment {
  adapter: { description: string; vendor: string; architecture: string; device: string; cpu: boolean };
  node: string;
  /** Version of the npm package `webgpu`, which is Dawn. */
  dawn: string;
  os: string;
  processor: string;
  cores: number;
  memoryBytes: number;
  /** With "-dirty" where files differ from it; figures aside. */
  commit: string;
  date: string;
}

export function environmentOf(info: GPUAdapterInfo, cpu: boolean): Environment {
  const { vendor, architecture, device } = info;
  return {
    adapter: { description: adapterName(info), vendor, architecture, device, cpu },
    node: process.version,
    dawn: dawnVersion(),
    os: `${type()} ${release()}, ${arch()}`,
    processor: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryBytes: totalmem(),
    commit: commit(),
    date: new Date().toISOString(),
  };
}

function dawnVersion(): string {
  const folder = dirname(fileURLToPath(import.meta.resolve('webgpu')));
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).version;
}

function commit(): string {
  const git = (...args: string[]) =>
    execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  try {
    const dirty = git('status', '--porcelain', '--', '.', ':!bench/results') !== '';
    return `${git('rev-parse', '--short=12', 'HEAD')}${dirty ? '-dirty' : ''}`;
  } catch {
    return 'unknown'; // no repository here, or no git
  }
}
