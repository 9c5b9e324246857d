import { CheckpointError, UnsupportedModelError } from '../base/errors.ts';
import { show } from '../base/show.ts';
import { isObject } from './json.ts';
import { INT32_MAX, isCount, isPositive, POSITIVE } from './ranges.ts';

/** How the angles of rotary embeddings are changed for contexts longer than those of the training. */
export type RopeScaling = LinearScaling | Llama3Scaling | YarnScaling;

/** Positions divided by a factor. */
export interface LinearScaling {
  /** Tells scalings apart. */
  readonly type: 'linear';
  /** Positions are divided by it. */
  readonly factor: number;
}

/** The same for waves longer than a part of the original context, nothing for short ones, and between the two by degrees. */
export interface Llama3Scaling {
  /** Tells scalings apart. */
  readonly type: 'llama3';
  /** Low frequencies are divided by it. */
  readonly factor: number;
  /** Below so many turns within the original positions a frequency is low. */
  readonly lowFreqFactor: number;
  /** Above so many it is high, and stays. */
  readonly highFreqFactor: number;
  /** Positions that the model was first trained for. */
  readonly originalPositions: number;
}

/** The same, but between the two by the number of the dimension; and queries and keys are made longer. */
export interface YarnScaling {
  /** Tells scalings apart. */
  readonly type: 'yarn';
  /** Low frequencies are divided by it. */
  readonly factor: number;
  /** Of queries and keys alike. */
  readonly attentionFactor: number;
  /** Above so many turns within the original positions a frequency stays. */
  readonly betaFast: number;
  /** Below so many it is divided; between the two it is something between. */
  readonly betaSlow: number;
  /** The dimensions between which it goes by degrees are whole numbers. */
  readonly truncate: boolean;
  /** Positions that the model was first trained for. */
  readonly originalPositions: number;
}

/** @internal */
export interface Rope {
  readonly theta: number;
  readonly scaling: RopeScaling | null;
  /** Positions that can be computed. */
  readonly positions: number;
}

/** No factor beyond these means anything. */
const LEAST = 1e-6;
const MOST = 1e6;
const ORIGINAL = 'original_max_position_embeddings';
/** By type, the keys that may stand beside it. */
const KEYS = {
  default: [],
  linear: ['factor'],
  llama3: ['factor', 'low_freq_factor', 'high_freq_factor', ORIGINAL],
  yarn: [
    ...['factor', 'attention_factor', 'beta_fast', 'beta_slow', 'mscale', 'mscale_all_dim', 'truncate'],
    ORIGINAL,
  ],
  dynamic: ['factor', ORIGINAL],
} as const;
type RopeType = keyof typeof KEYS;
const isType = (type: unknown): type is RopeType => typeof type === 'string' && Object.hasOwn(KEYS, type);

/**
 * transformers 4 has rope_theta and rope_scaling, transformers 5 rope_parameters; where both objects are, the former counts. `theta`
 * counts where none is written down; `positions` are those of the context.
 * @throws CheckpointError, UnsupportedModelError
 * @internal
 */
export function parseRope(
  json: Record<string, unknown>,
  theta: number | undefined,
  positions: number,
  file: string,
): Rope {
  const thetas = new Set([json.rope_theta]);
  let key = 'rope_parameters';
  let rope: Record<string, unknown> = {};
  for (const name of ['rope_parameters', 'rope_scaling']) {
    const object = json[name] ?? {};
    if (!isObject(object)) throw new CheckpointError(file, `${name} is ${show(object)}: an object`);
    thetas.add(object.rope_theta);
    if (Object.keys(object).length > 0) [key, rope] = [name, object];
  }
  const type = scalingType(rope, key);
  const base = oneTheta(thetas, theta, file);
  const plain = { theta: base, scaling: null, positions };
  if (type === 'default') return plain;

  const wrong = (name: string, allowed: string) =>
    new CheckpointError(file, `${key}.${name} is ${show(rope[name])}: ${allowed}`);
  const number = (name: string, least = LEAST): number => {
    const value = rope[name];
    if (value == null) throw new CheckpointError(file, `the required key "${key}.${name}" is missing`);
    if (typeof value === 'number' && value >= least && value <= MOST) return value;
    throw wrong(name, `a number from ${least} to ${MOST}`);
  };
  if (type === 'linear') return { ...plain, scaling: { type, factor: number('factor', 1) } };
  const original = json[ORIGINAL] ?? rope[ORIGINAL] ?? positions; // transformers looks beside the object first
  if (!isCount(original) || original === 0) {
    const name = json[ORIGINAL] == null ? `${key}.${ORIGINAL}` : ORIGINAL;
    throw new CheckpointError(file, `${name} is ${show(original)}: a whole number from 1 to ${INT32_MAX}`);
  }
  const grows = type === 'yarn' && rope.factor === null; // by what the context has grown by
  const factor = grows ? positions / original : number('factor', 1);
  // Beyond the original context theta depends on the length at which a key is computed: no key could be shared.
  if (type === 'dynamic') return { ...plain, positions: Math.min(positions, original) };
  if (type === 'llama3') {
    const lowFreqFactor = number('low_freq_factor');
    const highFreqFactor = number('high_freq_factor');
    if (highFreqFactor <= lowFreqFactor)
      throw wrong('high_freq_factor', `more than low_freq_factor, ${lowFreqFactor}`);
    return {
      ...plain,
      scaling: { type, factor, lowFreqFactor, highFreqFactor, originalPositions: original },
    };
  }

  if (base <= 1) throw new CheckpointError(file, `rope_theta is ${show(base)}: more than 1 for "yarn"`);
  const optional = (name: string) => (rope[name] == null ? 0 : number(name, 0)); // 0 stands for absence
  const betaFast = optional('beta_fast') || 32;
  const betaSlow = optional('beta_slow') || 1;
  if (betaFast < betaSlow) throw wrong('beta_fast', `at least beta_slow, ${betaSlow}`);
  const { truncate = true } = rope;
  if (truncate !== null && typeof truncate !== 'boolean') throw wrong('truncate', 'true or false');
  const [numerator, denominator] = [optional('mscale'), optional('mscale_all_dim')];
  const grown = (scale: number) => 0.1 * scale * Math.log(Math.max(1, factor)) + 1;
  const recommended = numerator && denominator ? grown(numerator) / grown(denominator) : grown(1);
  const attentionFactor = rope.attention_factor == null ? recommended : number('attention_factor');
  return {
    ...plain,
    scaling: {
      type,
      factor,
      attentionFactor,
      betaFast,
      betaSlow,
      truncate: truncate === true,
      originalPositions: original,
    },
  };
}

/** @throws UnsupportedModelError for a type that is not computed, and a key that the type does not have */
function scalingType(rope: Record<string, unknown>, key: string): RopeType {
  const typeKey = rope.rope_type == null && rope.type != null ? 'type' : 'rope_type';
  const type = rope[typeKey] ?? 'default';
  if (!isType(type)) throw new UnsupportedModelError(`${key}.${typeKey}`, type, Object.keys(KEYS).join(', '));
  const allowed: readonly string[] = ['rope_type', 'type', 'rope_theta', ...KEYS[type]];
  for (const [name, value] of Object.entries(rope)) {
    if (value === null || allowed.includes(name) || (name === 'partial_rotary_factor' && value === 1))
      continue;
    throw new UnsupportedModelError(
      `${key}.${name}`,
      value,
      `none for rotary embeddings of type ${show(type)}`,
    );
  }
  return type;
}

function oneTheta(thetas: Set<unknown>, absent: number | undefined, file: string): number {
  thetas.delete(undefined);
  thetas.delete(null);
  const [theta = absent] = thetas;
  if (theta === undefined) throw new CheckpointError(file, 'the required key "rope_theta" is missing');
  if (thetas.size > 1)
    throw new CheckpointError(file, `rope_theta has two values, ${[...thetas].map(show).join(' and ')}`);
  if (!isPositive(theta)) throw new CheckpointError(file, `rope_theta is ${show(theta)}: ${POSITIVE}`);
  return theta;
}
