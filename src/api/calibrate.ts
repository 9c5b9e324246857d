import { OptionError } from '../base/errors.ts';
import { PAGE } from '../cache/kv-cache.ts';
import { FLOOR, firstFrom, fitGate } from '../sampling/gate.ts';
import { sampleMany } from '../sampling/sample-many.ts';
import { type GenerativeModel, withModelDefaults } from './generate.ts';
import { encodePrompt } from './prompt.ts';

export interface CalibrateOptions {
  /** Responses to draw, spread evenly over the prompts. Default 128. */
  samples?: number;
  /** Horizon of each response. Default: the model's own. */
  maxNewTokens?: number;
  seed?: bigint;
  signal?: AbortSignal;
  onProgress?(progress: { samples: number; of: number; tokens: number }): void;
}

/** Tokens with an entropy of `from` nats or more, up to where the next bin begins. */
export interface EntropyBin {
  from: number;
  /** Share of all tokens. */
  tokens: number;
  /** Share of all entropy. */
  entropy: number;
}

/** What the entropies of plain samples look like, and what follows for the sampler. Entropies in nats. */
export interface Calibration {
  /** Proposed gate, nats. */
  gate: number;
  /** Proposed block, tokens. */
  blockSize: number;
  samples: number;
  tokens: number;
  /** Tokens a sample. */
  meanLength: number;
  /** A token's. */
  meanEntropy: number;
  /** Share of the tokens at or above the gate, and of the entropy that they carry. */
  decisions: { tokens: number; entropy: number };
  /** Entropies that these shares of the tokens do not exceed. */
  quantiles: { share: number; entropy: number }[];
  histogram: EntropyBin[];
}

const DECISIONS = 3;
const MOST_BLOCKS = 16;
const BINS = [0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5];
const SHARES = [0.5, 0.8, 0.9, 0.95, 0.99];

/**
 * Draws plain samples (temperature 1) from the model and fits the gate and the block size to their entropies. Sample i is chain i of
 * the seed.
 * @param prompts texts or token ids
 * @throws OptionError, also where the model is sure of every token; what the model's engine throws; the signal's reason
 */
export async function calibrate(
  model: GenerativeModel,
  prompts: readonly (string | ArrayLike<number>)[],
  options: CalibrateOptions = {},
): Promise<Calibration> {
  const { samples = 128, maxNewTokens, seed, signal, onProgress } = options;
  if (!Number.isInteger(samples) || samples < 1)
    throw new OptionError(`samples is ${samples}: a whole number from 1 on`);
  if (prompts.length === 0) throw new OptionError('there are no prompts: at least one is needed');
  const encoded = prompts.map((prompt) => encodePrompt(model.tokenizer, prompt));
  const spread = Array.from(
    { length: samples },
    (_, i) => encoded[Math.floor((i * encoded.length) / samples)],
  );
  const plain = withModelDefaults(model.defaults, { sampler: 'sample', temperature: 1, maxNewTokens, seed });

  const lengths = new Uint32Array(samples);
  const progress = { samples: 0, of: samples, tokens: 0 };
  const drawn = await sampleMany(model, spread, plain, {
    signal,
    onProgress({ tokens }, i) {
      progress.tokens += tokens.length - lengths[i];
      lengths[i] = tokens.length;
      onProgress?.({ ...progress });
    },
    onSample() {
      progress.samples++;
      onProgress?.({ ...progress });
    },
  });
  return fit(
    drawn.map(({ entropy }) => entropy),
    plain.maxNewTokens,
  );
}

/**
 * Fits the gate and the block size to the entropies of plain samples.
 *
 * Gate: by the rule of `fitGate`, that of a run without a gate of the model's.
 *
 * Block size: holds three decisions (tokens at or above the gate) on average, but a response grows by no more than 16 blocks on
 * average, since the cost of growing it is in proportion to their number. Rounded to whole cache pages, at most the horizon.
 * @param entropies nats, one array a sample
 * @throws OptionError where no token has an entropy of 0.01 nats
 * @internal
 */
export function fit(entropies: readonly Float64Array[], maxNewTokens: number): Calibration {
  const sorted = Float64Array.from(entropies.flatMap((column) => Array.from(column))).sort();
  const tokens = sorted.length;
  if (firstFrom(sorted, FLOOR) === tokens) {
    const highest = tokens > 0 ? `; the highest has ${sorted[tokens - 1].toPrecision(2)}` : '';
    throw new OptionError(
      `none of the ${tokens} tokens drawn has an entropy of ${FLOOR} nats${highest}: the prompts leave the model no choice to cut at`,
    );
  }
  const gate = fitGate(sorted);

  const meanLength = tokens / entropies.length;
  const passing = sorted.subarray(firstFrom(sorted, gate));
  const span = Math.max((DECISIONS * tokens) / passing.length, meanLength / MOST_BLOCKS);
  const blockSize = Math.min(maxNewTokens, PAGE * Math.max(1, Math.round(span / PAGE)));

  const total = sum(sorted);
  const bounds = [...BINS.map((from) => firstFrom(sorted, from)), tokens];
  return {
    gate,
    blockSize,
    samples: entropies.length,
    tokens,
    meanLength,
    meanEntropy: total / tokens,
    decisions: { tokens: passing.length / tokens, entropy: sum(passing) / total },
    quantiles: SHARES.map((share) => ({ share, entropy: sorted[Math.ceil(share * tokens) - 1] })),
    histogram: BINS.map((from, i) => ({
      from,
      tokens: (bounds[i + 1] - bounds[i]) / tokens,
      entropy: sum(sorted.subarray(bounds[i], bounds[i + 1])) / total,
    })),
  };
}

const sum = (values: Float64Array): number => values.reduce((a, b) => a + b, 0);
