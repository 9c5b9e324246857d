/** ONNX Runtime: keys and values are written in place, on the device, as onnxruntime-genai has it. */
import * as ort from 'onnxruntime-node';
import { stepwise } from './stepwise.mjs';

/**
 * @param {{
 *   backend: 'cpu' | 'webgpu', precision: 'f32' | 'f16', file: string, threads: number, capacity: number,
 *   config: import('../../../src/checkpoint/config.ts').ModelConfig,
 *   piece?: number, // most tokens of a prompt computed together
 * }} options
 */
export async function open({ backend, precision, file, threads, capacity, config, piece = capacity }) {
  const type = precision === 'f16' ? 'float16' : 'float32';
  const options = {
    executionProviders: [backend === 'webgpu' ? { name: 'webgpu', validationMode: 'disabled' } : 'cpu'],
    intraOpNumThreads: threads,
  };
  const names = Array.from({ length: config.numHiddenLayers }, (_, i) => [`key.${i}`, `value.${i}`]).flat();
  const session = await ort.InferenceSession.create(file, options);
  const place = backend === 'webgpu' ? { preferredOutputLocation: 'gpu-buffer' } : {};
  const expand = await ort.InferenceSession.create(`${file}.expand`, { ...options, ...place });

  const zero = new ort.Tensor(
    type,
    type === 'float16' ? new Uint16Array(1) : new Float32Array(1),
    [1, 1, 1, 1],
  );
  /** The cache of `rows` rows, each as the only one was. */
  let cache = {};
  let rows = 0;
  let length = 0;
  async function spread(count, from = cache) {
    const shape = BigInt64Array.from([count, config.numKeyValueHeads, capacity, config.headDim], BigInt);
    const next = {};
    for (const name of names) {
      next[name] = (
        await expand.run({ input: from[name] ?? zero, shape: new ort.Tensor('int64', shape, [4]) })
      ).output;
    }
    for (const tensor of Object.values(cache)) tensor.dispose();
    cache = next;
    rows = count;
  }

  async function evaluate(tokens, wanted) {
    const count = tokens[0].length;
    const feeds = {
      input_ids: new ort.Tensor('int64', BigInt64Array.from(tokens.flat(), BigInt), [rows, count]),
      seqlens_k: new ort.Tensor('int32', new Int32Array(rows).fill(length + count - 1), [rows]),
      total_sequence_length: new ort.Tensor('int32', Int32Array.of(length + count), []),
    };
    const fetches = { logits: null };
    for (const name of names) {
      feeds[`past_${name}`] = cache[name];
      fetches[`present_${name}`] = cache[name];
    }
    const { logits } = await session.run(feeds, fetches);
    length += count;
    const values = wanted && type === 'float16' ? Float32Array.from(logits.data, float32) : logits.data;
    return wanted ? tokens.map((_, r) => values.slice(r * config.vocabSize, (r + 1) * config.vocabSize)) : [];
  }

  return stepwise({
    device: backend === 'webgpu' ? 'WebGPU' : 'CPU',
    precision: `${precision}, cache ${precision}`,
    async start(prompts, wanted) {
      if (rows !== prompts.length) await spread(prompts.length, {});
      length = 0;
      let logits;
      while (length < prompts[0].length) {
        const end = length + piece;
        logits = await evaluate(
          prompts.map((prompt) => prompt.slice(length, end)),
          wanted && end >= prompts[0].length,
        );
      }
      return logits;
    },
    step: (tokens, wanted) =>
      evaluate(
        tokens.map((token) => [token]),
        wanted,
      ),
    spread: (count) => spread(count),
    rewind(to) {
      length = to;
    },
  });
}

/** Of the bits of an f16. */
function float32(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = (bits & 0x3ff) / 1024;
  if (exponent === 0) return sign * fraction * 2 ** -14;
  return exponent === 31 ? Number.NaN : sign * (1 + fraction) * 2 ** (exponent - 15);
}
