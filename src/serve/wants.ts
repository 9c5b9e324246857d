import { withModelDefaults } from '../api/generate.ts';
import type { StreamOptions } from '../api/stream.ts';
import { OptionError } from '../base/errors.ts';
import { didYouMean } from '../base/nearest.ts';
import { describe } from '../base/show.ts';
import { OPTION_NAMES, type SamplerOptions } from '../sampling/options.ts';
import type { Server } from './context.ts';
import { Refusal, wrongField } from './refusal.ts';

/** What completions and chats say of how their answers are drawn. */
export interface Drawing {
  readonly temperature?: number | null;
  readonly top_p?: number | null;
  readonly seed?: number | null;
  readonly stop?: string | readonly string[] | null;
  readonly egps?: Readonly<Record<string, unknown>> | null;
}

/** How answers are drawn. */
export interface Wants {
  readonly options: StreamOptions;
  /** The options in full. */
  readonly resolved: SamplerOptions;
  /** greedy and sample, which tell each token once. */
  readonly isPlain: boolean;
}

/** Options that OpenAI has a field for. */
const FIELDS: Readonly<Record<string, string>> = {
  maxNewTokens: 'max_tokens',
  seed: 'seed',
  temperature: 'temperature',
  topP: 'top_p',
};
/** These change how an answer is computed and not what it is: all requests share it. */
const SHARED = ['tree', 'draft', 'lookAhead', 'treeNodes'];
const KEYS = [
  ...OPTION_NAMES.filter((name) => !(name in FIELDS) && !SHARED.includes(name)),
  'pick',
  'extract',
];
/** Patterns of clients could keep this process busy for ever. */
const EXTRACTORS = ['boxed', 'letter'];
/** Below it a temperature is 0: its inverse would leave nothing of other tokens either. */
const COLDEST = 1e-5;

/**
 * @param asked most tokens of an answer; undefined: what the model's defaults say, as far as there is room
 * @throws Refusal
 */
export function wantsOf(
  { model }: Server,
  drawing: Drawing,
  asked: number | undefined,
  room: number = Infinity,
): Wants {
  const { egps, stop } = drawing;
  const seed = BigInt.asUintN(64, BigInt(drawing.seed ?? randomSeed()));
  const own = egps ? checkKeys(egps) : {};
  const given = { ...own, ...temperatureOf(drawing, own), seed, maxNewTokens: asked };
  const { pick, extract, ...sampler } = given as StreamOptions;
  const resolved = naming(Object.keys(own), () => withModelDefaults(model.defaults, sampler));
  if (asked === undefined) resolved.maxNewTokens = Math.min(resolved.maxNewTokens, room);
  const stops = typeof stop === 'string' ? [stop] : (stop ?? []);
  return {
    options: { ...sampler, maxNewTokens: resolved.maxNewTokens, pick, extract, stop: stops },
    resolved,
    isPlain: resolved.sampler === 'greedy' || resolved.sampler === 'sample',
  };
}

function checkKeys(egps: Readonly<Record<string, unknown>>): Partial<StreamOptions> {
  for (const [key, value] of Object.entries(egps)) {
    const param = `egps.${key}`;
    if (key in FIELDS) throw wrongField(param, `${param} is a field of the request: ${FIELDS[key]}`);
    if (SHARED.includes(key))
      throw wrongField(param, `${param} does not change an answer: it is the server's`);
    if (!KEYS.includes(key)) {
      const nearest = didYouMean(key, KEYS) || `: the keys are ${KEYS.join(', ')}`;
      throw wrongField(param.slice(0, 100), `there is no ${param.slice(0, 100)}${nearest}`, 'unknown_field');
    }
    if (key === 'extract' && value !== null && !EXTRACTORS.includes(value as string))
      throw wrongField(param, `${param} is ${describe(value)}: one of ${EXTRACTORS.join(', ')}`);
  }
  return Object.fromEntries(Object.entries(egps).filter(([, value]) => value !== null));
}

/** OpenAI's temperature and top_p as options. A chain takes neither: there they may only say what changes nothing. */
function temperatureOf(
  { temperature, top_p: topP, egps }: Drawing,
  { sampler = egps ? 'egps' : 'sample' }: Partial<StreamOptions>,
): Partial<SamplerOptions> {
  const isCold = (temperature ?? 1) < COLDEST || topP === 0;
  if (sampler === 'sample' || sampler === 'best-of-n') {
    if (isCold && sampler === 'sample') return { sampler: 'greedy' };
    return {
      sampler,
      temperature: temperature ?? 1,
      topP: (topP ?? 1) < 1 ? (topP ?? undefined) : undefined,
    };
  }
  const neutral = sampler === 'greedy' ? [0, 1] : [1];
  for (const [param, value] of Object.entries({ temperature, top_p: topP })) {
    if (value === undefined || value === null || neutral.includes(value)) continue;
    throw wrongField(param, `${param} is ${value}: the sampler ${sampler} does not use it; leave it out`);
  }
  return {};
}

/** Names the option that an error is about, which its message begins with. */
function naming<T>(keys: readonly string[], work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    const [, name = ''] = /^(\w+) is /.exec(error.message) ?? [];
    const param = FIELDS[name] ?? (keys.includes(name) ? `egps.${name}` : 'egps');
    throw new Refusal(400, 'invalid_value', error.message, { param });
  }
}

/** One that a client can give back: a whole number that JSON keeps. */
function randomSeed(): number {
  const [high, low] = crypto.getRandomValues(new Uint32Array(2));
  return (high & 0x1fffff) * 2 ** 32 + low;
}
