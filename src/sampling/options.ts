import { CheckpointError, OptionError } from '../base/errors.ts';
import { describe } from '../base/show.ts';
import { isObject } from '../checkpoint/json.ts';
import type { Decoding } from './chain.ts';
import { CUT_LAW_NAMES, CUT_LAWS, type CutLawName } from './cut-laws.ts';
import type { Acceptance } from './multiple-try.ts';
import { isBounded } from './target.ts';

export type SamplerName =
  | 'greedy'
  | 'sample'
  | 'best-of-n'
  | 'metropolis'
  | 'karan-du'
  | 'entropy-cut'
  | 'egps'
  | 'smc';

export interface SamplerOptions {
  /**
   * - greedy: the most likely token each time
   * - sample: ancestral sampling with `temperature`, `topK`, `topP`
   * - best-of-n: the likeliest of n drawn so
   * - metropolis: exact Metropolis–Hastings on p^α with uniform cuts
   * - karan-du: the same as published, which is not exact
   * - entropy-cut: exact Metropolis–Hastings on p^α with cuts where the entropy jumps
   * - egps: exact Multiple-Try Metropolis on p^α with cuts guided by entropy
   * - smc: sequential Monte Carlo on p^α with n particles, exact in the limit of many
   */
  sampler: SamplerName;
  /** Most tokens of the response, EOS included. */
  maxNewTokens: number;
  /** 64 bits. */
  seed: bigint;
  /** Chains of one seed are independent. */
  chain: number;
  /** The target is p^α; for greedy, sample and best-of-n only the α of the log Z reported. */
  alpha: number;
  /** Temperature of the proposal; 1 / alpha unless given. */
  proposalTemperature: number;
  /** Tokens the response grows by before it is refined, where it grows by blocks; also the block of a cut law that has blocks. */
  blockSize: number;
  /** Refinement steps after each block, where it grows by blocks. */
  steps: number;
  /** Refinement steps at the full length. */
  finalSteps: number;
  /** Candidates a step, decoded together. */
  tries: number;
  cutLaw: CutLawName;
  /** Least entropy, in nats, at which a cut law with a gate cuts; auto: fitted to continuations of the prompt, see `fitGate`. */
  gate: number | 'auto';
  acceptance: Acceptance;
  decoding: Decoding;
  /** How egps draws its first response: by sequential Monte Carlo, or block by block with refinement steps between. */
  growth: 'particles' | 'blocks';
  /** Of the sequential Monte Carlo of smc and of egps. */
  particles: number;
  /** best-of-n: responses drawn. */
  n: number;
  /** For `sample` and `best-of-n`, as are topK and topP: a power sampler's target would not be p^α. */
  temperature: number;
  topK?: number;
  topP?: number;
  /** Whether what was computed for a prompt is kept and found again; the response is the same in every bit. For measurements. */
  tree: 'on' | 'off';
  /** Tokens drafted behind one that is needed, wherever there is something to go by; auto: as many as pay. */
  draft: number | 'auto';
  /** Steps beyond the current one whose needs are computed beside its own; auto: as many as pay. */
  lookAhead: number | 'auto';
  /** Most prefixes of a prompt that are kept with what was read of them, about a kilobyte each. */
  treeNodes: number;
}

export const DEFAULTS: Readonly<SamplerOptions> = {
  sampler: 'egps',
  maxNewTokens: 3072,
  seed: 0n,
  chain: 0,
  alpha: 4,
  proposalTemperature: 1 / 4,
  blockSize: 192,
  steps: 3,
  finalSteps: 8,
  tries: 4,
  cutLaw: 'entropy-block',
  gate: 'auto',
  acceptance: 'metropolis',
  decoding: 'lockstep',
  growth: 'particles',
  particles: 32,
  n: 8,
  temperature: 1,
  tree: 'on',
  draft: 'auto',
  lookAhead: 'auto',
  treeNodes: 65536,
};

/** What a model's own egps.json may set. */
const OF_A_MODEL = [
  'alpha',
  'maxNewTokens',
  'blockSize',
  'steps',
  'finalSteps',
  'tries',
  'cutLaw',
  'gate',
  'growth',
  'particles',
] as const;

/** A model's own defaults, the settings that it was tuned for. */
export type ModelDefaults = Partial<Pick<SamplerOptions, (typeof OF_A_MODEL)[number]>>;

type Name = keyof SamplerOptions;

const EVERY: Name[] = ['sampler', 'maxNewTokens', 'seed', 'chain', 'alpha', 'tree', 'draft', 'treeNodes'];
const PLAIN: Name[] = [...EVERY, 'temperature', 'topK', 'topP'];
const POWER: Name[] = [...EVERY, 'proposalTemperature'];
const CHAIN: Name[] = [...POWER, 'blockSize', 'steps', 'lookAhead'];
const EXACT: Name[] = [...CHAIN, 'finalSteps', 'acceptance', 'decoding'];
const USED: Record<SamplerName, Name[]> = {
  greedy: EVERY,
  sample: PLAIN,
  'best-of-n': [...PLAIN, 'n'],
  metropolis: EXACT,
  'karan-du': CHAIN,
  'entropy-cut': EXACT,
  egps: [...EXACT, 'tries', 'cutLaw', 'gate', 'growth', 'particles'],
  smc: [...POWER, 'particles'],
};

/** @internal */
export const SAMPLERS = Object.keys(USED) as readonly SamplerName[];

interface Range {
  readonly text: string;
  has(value: unknown): boolean;
}
const whole = (least: number, most = Number.MAX_SAFE_INTEGER, text = `${most}`): Range => ({
  text: `a whole number from ${least} ${most === Number.MAX_SAFE_INTEGER ? 'on' : `to ${text}`}`,
  has: (value) => Number.isInteger(value) && (value as number) >= least && (value as number) <= most,
});
const real = (text: string, has: (value: number) => boolean): Range => ({
  text,
  has: (value) => Number.isFinite(value) && has(value as number),
});
const oneOf = (...names: string[]): Range => ({
  text: `one of ${names.join(', ')}`,
  has: (value) => names.includes(value as string),
});

const orAuto = (range: Range): Range => ({
  text: `"auto", or ${range.text}`,
  has: (value) => value === 'auto' || range.has(value),
});

const RANGES: Record<Name, Range> = {
  sampler: oneOf(...SAMPLERS),
  maxNewTokens: whole(1),
  seed: {
    text: 'a bigint from 0n to 2^64 − 1',
    has: (value) => typeof value === 'bigint' && BigInt.asUintN(64, value) === value,
  },
  chain: whole(0, 2 ** 32 - 1, '2^32 − 1'),
  alpha: real('a finite number from 1 on', (value) => value >= 1),
  proposalTemperature: real('a finite number above 0', (value) => value > 0),
  blockSize: whole(1),
  steps: whole(0),
  finalSteps: whole(0),
  tries: whole(1, 256),
  cutLaw: oneOf(...CUT_LAW_NAMES),
  gate: orAuto(real('a finite number from 0 on, in nats', (value) => value >= 0)),
  acceptance: oneOf('metropolis', 'barker'),
  decoding: oneOf('eager', 'lockstep', 'best-first'),
  growth: oneOf('particles', 'blocks'),
  particles: whole(1, 256),
  n: whole(1, 256),
  temperature: real('a finite number above 0 (the sampler greedy needs none)', (value) => value > 0),
  topK: whole(1),
  topP: real('a number above 0, at most 1', (value) => value > 0 && value <= 1),
  tree: oneOf('on', 'off'),
  draft: orAuto(whole(0, 64)),
  lookAhead: orAuto(whole(0, 64)),
  treeNodes: whole(1),
};

/** @internal */
export const OPTION_NAMES = Object.keys(RANGES) as readonly (keyof SamplerOptions)[];

const show = (value: unknown): string => (typeof value === 'string' ? JSON.stringify(value) : String(value));

/**
 * Fills in defaults and checks everything.
 * @param defaults a model's own, in place of DEFAULTS; unlike options given they may name what the sampler does not use
 * @throws OptionError for an unknown option, a value out of range, or an option given that the sampler does not use
 */
export function resolveOptions(given: Partial<SamplerOptions>, defaults: ModelDefaults = {}): SamplerOptions {
  const options = { ...DEFAULTS, ...defined(defaults), ...defined(given) } as SamplerOptions;
  options.proposalTemperature = given.proposalTemperature ?? 1 / options.alpha;
  for (const [name, value] of Object.entries(options)) {
    const range = RANGES[name as Name];
    if (!range) throw new OptionError(`there is no option ${show(name)}`);
    if (!range.has(value)) throw new OptionError(`${name} is ${show(value)}: ${range.text}`);
  }

  const { sampler, alpha, cutLaw, maxNewTokens, blockSize, steps, finalSteps } = options;
  for (const [name, value] of Object.entries(defined(given))) {
    if (!USED[sampler].includes(name as Name)) {
      throw new OptionError(`${name} is ${show(value)}: the sampler ${sampler} does not use it`);
    }
  }
  if (given.gate !== undefined && !CUT_LAWS[cutLaw].uses.includes('gate')) {
    throw new OptionError(`gate is ${given.gate}: the cut law ${cutLaw} does not use it`);
  }
  if (!USED[sampler].includes('topK')) {
    delete options.topK;
    delete options.topP;
  }
  const target = { alpha, temperature: options.proposalTemperature };
  if (USED[sampler].includes('decoding') && options.decoding !== 'eager' && !isBounded(target)) {
    const range = `from 1 / alpha = ${1 / alpha} to 1, unless decoding is eager`;
    throw new OptionError(`proposalTemperature is ${target.temperature}: ${range}`);
  }
  if (given.particles !== undefined && sampler === 'egps' && options.growth === 'blocks') {
    throw new OptionError(`particles is ${given.particles}: growth by blocks does not use it`);
  }
  if (options.tree === 'off') {
    for (const name of ['draft', 'lookAhead'] as const) {
      if (given[name] === undefined || given[name] === 0) options[name] = 0;
      else throw new OptionError(`${name} is ${given[name]}: with tree off there is none`);
    }
  }
  Object.assign(options, SPECIAL_CASES[sampler]);

  const total = Math.ceil(maxNewTokens / blockSize) * (1 + steps) + finalSteps;
  if (total >= 2 ** 24) {
    throw new OptionError(`maxNewTokens, blockSize, steps and finalSteps make ${total} steps: below 2^24`);
  }
  return options;
}

/**
 * What an egps.json says, checked.
 * @throws CheckpointError for what is no object, a key that is none of a model's, or a value out of range
 * @internal
 */
export function modelDefaults(file: string, json: unknown): ModelDefaults {
  if (!isObject(json)) throw new CheckpointError(file, 'is not a JSON object');
  for (const [key, value] of Object.entries(json)) {
    const name = OF_A_MODEL.find((each) => each === key);
    if (!name) {
      throw new CheckpointError(file, `unknown key ${describe(key)}: the keys are ${OF_A_MODEL.join(', ')}`);
    }
    if (!RANGES[name].has(value)) {
      throw new CheckpointError(file, `${name} is ${describe(value)}: ${RANGES[name].text}`);
    }
  }
  return json;
}

/** What the samplers named after them make of the general kernel. */
const SPECIAL_CASES: Partial<Record<SamplerName, Partial<SamplerOptions>>> = {
  metropolis: { tries: 1, cutLaw: 'uniform', growth: 'blocks' },
  'entropy-cut': { tries: 1, cutLaw: 'entropy-jump', growth: 'blocks' },
};

function defined(options: object): object {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
