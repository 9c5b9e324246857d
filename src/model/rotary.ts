import type { ModelConfig } from '../checkpoint/config.ts';

/**
 * [position][headDim / 2] (cos, sin), in f64 and rounded once: WGSL's own are good to 2^-11 near zero only. With yarn both are longer
 * than 1, which makes queries and keys longer.
 */
export function rotaryTable(positions: number, config: ModelConfig): Float32Array {
  const { headDim } = config;
  const half = headDim / 2;
  const length = rotaryLength(config);
  const table = new Float32Array(positions * headDim);
  for (const [i, frequency] of rotaryFrequencies(config).entries()) {
    for (let p = 0; p < positions; p++) {
      table[2 * (p * half + i)] = length * Math.cos(p * frequency);
      table[2 * (p * half + i) + 1] = length * Math.sin(p * frequency);
    }
  }
  return table;
}

/** What queries and keys are multiplied by, both of them. */
export const rotaryLength = ({ ropeScaling }: ModelConfig): number =>
  ropeScaling?.type === 'yarn' ? ropeScaling.attentionFactor : 1;

/** By how much each pair of dimensions turns from one position to the next, in radians. */
export function rotaryFrequencies({ headDim, ropeTheta, ropeScaling }: ModelConfig): number[] {
  const half = headDim / 2;
  const plain = Array.from({ length: half }, (_, i) => ropeTheta ** (-i / half));
  if (!ropeScaling) return plain;
  const { factor } = ropeScaling;
  if (ropeScaling.type === 'linear') return plain.map((frequency) => frequency / factor);
  /** How much of the frequency is left as it is; the rest is divided. */
  let kept: (frequency: number, i: number) => number;
  if (ropeScaling.type === 'llama3') {
    const { lowFreqFactor: low, highFreqFactor: high, originalPositions } = ropeScaling;
    const turns = (frequency: number) => (originalPositions * frequency) / (2 * Math.PI); // over the original context
    kept = (frequency) => clamp((turns(frequency) - low) / (high - low));
  } else {
    const { betaFast, betaSlow, truncate, originalPositions } = ropeScaling;
    /** The dimension that turns so often over the original context. */
    const dimension = (turns: number) =>
      (headDim * Math.log(originalPositions / (turns * 2 * Math.PI))) / (2 * Math.log(ropeTheta));
    const [fast, slow] = [dimension(betaFast), dimension(betaSlow)];
    const first = Math.max(truncate ? Math.floor(fast) : fast, 0);
    const last = Math.min(truncate ? Math.ceil(slow) : slow, headDim - 1);
    const width = last === first ? 0.001 : last - first;
    kept = (_, i) => 1 - clamp((i - first) / width);
  }
  return plain.map((frequency, i) => {
    const part = kept(frequency, i);
    return (frequency / factor) * (1 - part) + frequency * part;
  });
}

const clamp = (value: number) => Math.min(1, Math.max(0, value));
