import { withModelDefaults } from '../api/generate.ts';
import { OptionError } from '../base/errors.ts';
import { didYouMean } from '../base/nearest.ts';
import type { Entry } from '../eval/runner.ts';
import { CUT_LAW_NAMES, CUT_LAWS } from '../sampling/cut-laws.ts';
import { type ModelDefaults, SAMPLERS } from '../sampling/options.ts';
import {
  type Acceptance,
  type CutLawName,
  DEFAULTS,
  type Decoding,
  type SamplerName,
  type SamplerOptions,
} from '../sampling/sample.ts';
import { number, type OptionSpec, type Parsed, seed, value, whole } from './args.ts';

export const SAMPLER_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  sampler: {
    value: 'NAME',
    help: `greedy, sample, best-of-n, metropolis (exact), karan-du (as published),\nentropy-cut (exact), egps or smc (default: ${DEFAULTS.sampler})`,
  },
  alpha: { value: 'A', help: `power of the target p^A, at least 1 (default: ${DEFAULTS.alpha})` },
  'max-new-tokens': {
    value: 'T',
    help: `horizon: most tokens of the answer (default: ${DEFAULTS.maxNewTokens})`,
  },
  'block-size': {
    value: 'B',
    help: `tokens the answer grows by, and a block of the law entropy-block\n(default: ${DEFAULTS.blockSize})`,
  },
  steps: { value: 'N', help: `chains: refining steps after each growth (default: ${DEFAULTS.steps})` },
  'final-steps': {
    value: 'M',
    help: `exact chains: refining steps at the full horizon (default: ${DEFAULTS.finalSteps})`,
  },
  tries: { value: 'K', help: `egps: candidates of a step (default: ${DEFAULTS.tries})` },
  'cut-law': {
    value: 'LAW',
    help: `egps: where a step cuts (default: ${DEFAULTS.cutLaw})${lawLines()}`,
  },
  gate: {
    value: 'NATS',
    help: `egps: entropy from which on the laws with a gate cut, or auto: fitted to\ncontinuations of the prompt (default: ${DEFAULTS.gate})`,
  },
  decoding: {
    value: 'HOW',
    help: `exact chains: candidates are decoded in lockstep or best-first until the\noutcome is certain, or eager (default: ${DEFAULTS.decoding})`,
  },
  acceptance: { value: 'RULE', help: `exact chains: metropolis or barker (default: ${DEFAULTS.acceptance})` },
  'proposal-temperature': {
    value: 'X',
    help: 'chains, smc: temperature of the proposals (default: 1 / alpha)',
  },
  growth: {
    value: 'HOW',
    help: `egps: the first answer comes from particles, or grows by blocks with\nrefining steps between (default: ${DEFAULTS.growth})`,
  },
  particles: { value: 'N', help: `egps, smc: particles (default: ${DEFAULTS.particles})` },
  n: { value: 'N', help: `best-of-n: answers to choose from (default: ${DEFAULTS.n})` },
  temperature: {
    value: 'X',
    help: `sample, best-of-n: temperature (default: ${DEFAULTS.temperature})`,
  },
  'top-k': { value: 'K', help: 'sample, best-of-n: draw from the K most likely tokens' },
  'top-p': { value: 'P', help: 'sample, best-of-n: draw from the smallest set with this mass' },
  tree: {
    value: 'HOW',
    help: `on, or off: nothing is found again, drafted or looked ahead to; the same\nanswer, for measurements (default: ${DEFAULTS.tree})`,
  },
  draft: {
    value: 'N',
    help: `most tokens guessed behind one that is needed, or auto (default: ${DEFAULTS.draft})`,
  },
  'look-ahead': {
    value: 'N',
    help: `chains: later steps computed for beside the current one, or auto\n(default: ${DEFAULTS.lookAhead})`,
  },
  'tree-nodes': {
    value: 'N',
    help: `most prefixes of a prompt that are kept (default: ${DEFAULTS.treeNodes})`,
  },
  seed: { value: 'S', help: `same seed, same answer (default: ${DEFAULTS.seed})` },
  chain: { value: 'C', help: `another chain of the same seed (default: ${DEFAULTS.chain})` },
};

const orAuto = (as: (option: string, text: string) => number) => (option: string, text: string) =>
  text === 'auto' ? text : as(option, text);

/** The sampler's options that stand on the command line. @throws OptionError */
export function samplerOptions(parsed: Parsed): Partial<SamplerOptions> {
  const read = <T>(name: string, as: (option: string, text: string) => T): T | undefined => {
    const text = value(parsed, name);
    return text === undefined ? undefined : as(`--${name}`, text);
  };
  return {
    sampler: value(parsed, 'sampler') as SamplerName | undefined,
    alpha: read('alpha', number),
    maxNewTokens: read('max-new-tokens', whole),
    blockSize: read('block-size', whole),
    steps: read('steps', whole),
    finalSteps: read('final-steps', whole),
    tries: read('tries', whole),
    cutLaw: value(parsed, 'cut-law') as CutLawName | undefined,
    gate: read('gate', orAuto(number)),
    decoding: value(parsed, 'decoding') as Decoding | undefined,
    acceptance: value(parsed, 'acceptance') as Acceptance | undefined,
    growth: value(parsed, 'growth') as SamplerOptions['growth'] | undefined,
    particles: read('particles', whole),
    n: read('n', whole),
    tree: value(parsed, 'tree') as SamplerOptions['tree'] | undefined,
    draft: read('draft', orAuto(whole)),
    lookAhead: read('look-ahead', orAuto(whole)),
    treeNodes: read('tree-nodes', whole),
    proposalTemperature: read('proposal-temperature', number),
    temperature: read('temperature', number),
    topK: read('top-k', whole),
    topP: read('top-p', number),
    seed: read('seed', seed),
    chain: read('chain', whole),
  };
}

/** The laws, a line each. */
function lawLines(): string {
  const width = Math.max(...CUT_LAW_NAMES.map(({ length }) => length));
  return CUT_LAW_NAMES.map((name) => `\n  ${name.padEnd(width)}  ${CUT_LAWS[name].cuts}`).join('');
}

/** What an option of `egps eval` may set for a sampler. */
const OF_A_SAMPLER = Object.keys(SAMPLER_OPTIONS).filter(
  (name) => !['sampler', 'seed', 'chain'].includes(name),
);

/**
 * Samplers as in `egps:tries=8:final-steps=0/5/20,sample:temperature=0.25`. Several numbers of final steps make several samplers that are
 * read off one chain.
 * @param common for all samplers, unless they say otherwise
 * @throws OptionError
 */
export function parseSamplers(
  lists: readonly string[],
  common: Readonly<Record<string, string | undefined>>,
  defaults: ModelDefaults,
): Entry[] {
  const entries = lists
    .flatMap((list) => list.split(','))
    .map((text) => parseSampler(text, common, defaults));
  const names = entries.flatMap(({ readings }) => readings.map(({ sampler }) => sampler));
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice !== undefined) throw new OptionError(`--sampler has ${twice} twice`);
  return entries;
}

function parseSampler(
  text: string,
  common: Readonly<Record<string, string | undefined>>,
  defaults: ModelDefaults,
): Entry {
  const [sampler, ...pairs] = text.split(':');
  if (!SAMPLERS.includes(sampler as SamplerName)) {
    const nearest = didYouMean(sampler, SAMPLERS) || `: one of ${SAMPLERS.join(', ')}`;
    throw new OptionError(`--sampler has ${JSON.stringify(sampler)}, which is no sampler${nearest}`);
  }
  const values: Record<string, string[]> = { sampler: [sampler] };
  for (const [name, value] of Object.entries(common)) if (value !== undefined) values[name] = [value];
  let budgets: string[] = [];
  const own = new Set<string>();
  for (const pair of pairs) {
    const [, name, value] = /^([^=]*)=(.*)$/s.exec(pair) ?? [];
    if (name === undefined) {
      throw new OptionError(`--sampler has ${JSON.stringify(text)}: name:option=value is expected`);
    }
    if (!OF_A_SAMPLER.includes(name)) {
      throw new OptionError(
        `--sampler has ${text}: no option ${JSON.stringify(name)}${didYouMean(name, OF_A_SAMPLER)}`,
      );
    }
    if (own.has(name)) throw new OptionError(`--sampler has ${text}: ${name} stands twice`);
    own.add(name);
    values[name] = [value];
    if (name === 'final-steps') budgets = value.split('/');
  }
  try {
    const counts = budgets.map((budget) => whole('final-steps', budget)).sort((a, b) => a - b);
    if (new Set(counts).size < counts.length) throw new OptionError(`final-steps has a number twice`);
    if (counts.length > 0) values['final-steps'] = [String(counts[counts.length - 1])];
    const options = withModelDefaults(defaults, samplerOptions({ values, flags: new Set(), words: [] }));
    const named = (finalSteps: number) =>
      pairs
        .map((pair) => `:${pair.startsWith('final-steps=') ? `final-steps=${finalSteps}` : pair}`)
        .join('');
    const readings = counts.map((finalSteps) => ({ sampler: sampler + named(finalSteps), finalSteps }));
    return { options, readings: readings.length > 0 ? readings : [{ sampler: text }] };
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    throw new OptionError(`--sampler has ${text}: ${error.message}`, { cause: error });
  }
}
