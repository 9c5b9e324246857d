/** llama.cpp as node-llama-cpp ships it: one batch a step, no sampler in the timed part. */
import { getLlama, LlamaLogLevel, NoBinaryFoundError } from 'node-llama-cpp';
import { stepwise } from './stepwise.mjs';

/** @param {{ backend: 'cpu' | 'vulkan' | 'cuda', file: string, threads: number, rows: number, capacity: number }} options */
export async function open({ backend, file, threads, rows, capacity }) {
  const gpu = backend === 'cpu' ? false : backend;
  const llama = await getLlama({
    gpu,
    build: 'never',
    maxThreads: threads,
    logLevel: LlamaLogLevel.error,
    progressLogs: false,
  }).catch((error) => {
    throw error instanceof NoBinaryFoundError
      ? new Error(`no prebuilt llama.cpp for ${backend} runs here`)
      : error;
  });
  if (llama.gpu !== gpu) throw new Error(`llama.cpp opened ${llama.gpu || 'the CPU'}`);
  const devices = gpu ? await llama.getGpuDeviceNames() : [];
  if (gpu && devices.length === 0) throw new Error('llama.cpp sees no such device');

  const { AddonModel, AddonContext, AddonSampler } = llama._bindings;
  const model = new AddonModel(file, {
    addonExports: llama._bindings,
    gpuLayers: gpu ? 1000 : 0,
    useMmap: true,
  });
  if (!(await model.init())) throw new Error('llama.cpp does not load the model');
  const batchSize = Math.max(512, rows);
  const context = new AddonContext(model, {
    contextSize: Math.ceil(capacity / 256) * 256 * rows,
    batchSize,
    sequences: rows,
    flashAttention: 'auto',
    threads,
  });
  if (!(await context.init())) throw new Error('llama.cpp makes no context');
  const { gpuVram } = model.getMemoryBreakdown();
  if (gpu && gpuVram === 0) throw new Error('llama.cpp put no weights on the device');
  const sampler = new AddonSampler(model);
  sampler.applyConfig({ temperature: 0 });

  let lengths = [];
  /** One batch: `tokens` of each row after what it holds. */
  async function evaluate(tokens, wanted) {
    context.initBatch(tokens.reduce((n, row) => n + row.length, 0));
    const at = tokens.map((row, r) => {
      const [index] = context.addToBatch(
        r,
        lengths[r],
        Uint32Array.from(row),
        Uint32Array.of(row.length - 1),
      );
      lengths[r] += row.length;
      return index;
    });
    await context.decodeBatch();
    const logits = [];
    for (const index of wanted ? at : []) {
      const pairs = (await context.sampleToken(index, sampler, false, false, true))[3];
      const row = new Float32Array(pairs.length / 2);
      for (let i = 0; i < pairs.length; i += 2) row[pairs[i]] = pairs[i + 1];
      logits.push(row);
    }
    return logits;
  }

  return stepwise({
    device: devices.join(', ') || 'CPU',
    precision: 'f16, cache f16',
    async start(prompts, wanted) {
      for (let r = 0; r < rows; r++) context.disposeSequence(r);
      lengths = prompts.map(() => 0);
      return evaluate(prompts, wanted);
    },
    step: (tokens, wanted) =>
      evaluate(
        tokens.map((token) => [token]),
        wanted,
      ),
    async spread(count) {
      for (let r = 1; r < count; r++) await context.copySequenceStateFromOtherSequence(r, 0);
      lengths = Array(count).fill(lengths[0]);
    },
    rewind(length) {
      for (let r = 0; r < lengths.length; r++) {
        if (!context.removeTokenCellsFromSequence(r, length, -1))
          throw new Error(`row ${r} does not go back`);
        lengths[r] = length;
      }
    },
  });
}
