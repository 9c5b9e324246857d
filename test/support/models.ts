import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create } from 'webgpu';
import { buildModel, type LoadOptions, loadModel, type Model } from '../../src/api/load-model.ts';
import type { ModelConfig } from '../../src/checkpoint/config.ts';
import { ModelFolder } from '../../src/checkpoint/model-folder.ts';
import { gpuTuning } from '../../src/model/tuning.ts';
import { sharedDevice } from './device.ts';
import { randomCheckpoint } from './random-checkpoint.ts';

const dawn = create([]); // kept for the life of the process: losing it crashes Dawn

/** A device that was not given the subgroups feature, so that the portable kernels are chosen. */
export async function deviceWithoutSubgroups(): Promise<GPUDevice> {
  const adapter = await dawn.requestAdapter();
  if (!adapter) throw new Error('no adapter');
  return adapter.requestDevice();
}

let portable: Promise<GPUDevice> | undefined;

/** The kernels meant for GPUs, run on whatever adapter there is. */
export async function withGpuKernels(dir: string, options: LoadOptions = {}, tune = gpuTuning) {
  const folder = await ModelFolder.open(dir);
  try {
    return await buildModel(folder.config, folder, { device: await sharedDevice(), ...options }, tune);
  } finally {
    await folder.close();
  }
}

/** Every set of kernels: how to load a model folder with it. */
export const kernelSets = {
  'the adapter’s own kernels': async (dir: string, options: LoadOptions = {}) =>
    loadModel(dir, { device: await sharedDevice(), ...options }),
  'portable kernels': async (dir: string, options: LoadOptions = {}) => {
    portable ??= deviceWithoutSubgroups();
    return loadModel(dir, { ...options, device: await portable });
  },
  'kernels for GPUs': withGpuKernels,
};

/** Shared where any shape will do. */
export const SHAPE = { vocabSize: 203, eosTokens: [1], maxPositionEmbeddings: 512 };

/** Opens one for the model, which ends with it. */
export const OWN_DEVICE = { device: undefined };

/** Loads a random model made for the occasion. */
export async function randomModel(
  overrides: Partial<ModelConfig>,
  seed = 1,
  dtype: 'F32' | 'BF16' = 'BF16',
  options: LoadOptions = {},
): Promise<Model> {
  return inTemporaryFolder(async (dir) => {
    randomCheckpoint(dir, overrides, seed, dtype);
    return loadModel(dir, { device: await sharedDevice(), ...options });
  });
}

export async function inTemporaryFolder<T>(work: (dir: string) => T | Promise<T>): Promise<T> {
  const dir = mkdtempSync(join(tmpdir(), 'model-'));
  try {
    return await work(dir);
  } finally {
    rmSync(dir, { recursive: true });
  }
}
