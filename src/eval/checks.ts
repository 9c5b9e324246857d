import type { Item, Verdict } from './item.ts';
import { keyOf, type Moves, type Result, type RunCosts, type Timing } from './result.ts';
import type { Plan, Session } from './run-folder.ts';
import {
  type Check,
  list,
  matching,
  number,
  object,
  oneOf,
  optional,
  orNull,
  table,
  text,
  whole,
} from './shape.ts';
import { partOf, type Shard } from './shard.ts';

const PICKS = oneOf('last', 'likeliest', 'vote');
const GRADERS = oneOf('math', 'exact', 'choice', 'code');
const VERDICTS: readonly Verdict[] = ['right', 'wrong', 'no answer', 'timed out', 'too long'];
const share = number(0, 1);
const seconds = number(0, Number.MAX_VALUE);

const planShape = object<Plan>(
  {
    egps: text,
    task: text,
    data: optional(text),
    model: text,
    modelDigest: text,
    quantize: optional(text),
    quantizeHead: optional(text),
    quantizeGroup: optional(whole(1)),
    promptStyle: text,
    kvCache: optional(text),
    samplers: list(
      object<Plan['samplers'][number]>({
        sampler: text,
        options: table(() => undefined),
        chain: text,
        picks: list(PICKS, 1, (pick) => pick),
      }),
      1,
      ({ sampler }: Plan['samplers'][number]) => sampler,
    ),
    seed: matching('a whole number below 2^64', /^\d{1,20}$/),
    samples: whole(1),
    limit: optional(whole(1)),
    skippedLines: whole(),
    shard: optional(object<Shard>({ index: whole(), count: whole(1) })),
    items: list(text, 1, (id) => id),
  },
  true,
);

/** What each check says begins with where in the value it is. */
const named =
  (what: string, check: Check): Check =>
  (value) => {
    const problem = check(value);
    return problem && (problem.startsWith('.') ? problem.slice(1) : `${what}${problem}`);
  };

export const checkPlan: Check = named('the plan', (value) => {
  const problem = planShape(value);
  if (problem) return problem;
  const { shard, samplers } = value as Plan;
  if (shard && shard.index >= shard.count) return `.shard.index is ${shard.index} of ${shard.count}`;
  const own = new Set(samplers.map(({ sampler }) => sampler));
  const lost = samplers.find(({ chain }) => !own.has(chain));
  return lost && `.samplers has no ${JSON.stringify(lost.chain)}, whose chain ${lost.sampler} is read off`;
});

const itemsShape = list(
  object<Item>({ id: text, prompt: text, grader: GRADERS, answer: text, entryPoint: optional(text) }),
);

/** @returns whether these are the items of the plan, in its order */
export const itemsCheck = (plan: Plan): Check =>
  named('the list', (value) => {
    const problem = itemsShape(value);
    if (problem) return problem;
    const own = partOf(plan.items, plan.shard);
    const found = value as Item[];
    const at = own.findIndex((id, i) => found[i]?.id !== id);
    if (at >= 0) return `[${at}] is not ${JSON.stringify(own[at])}, which it is in run.json`;
    return found.length > own.length ? ` has ${found.length} items, of ${own.length} in run.json` : undefined;
  });

export const checkSession: Check = named(
  'the line',
  object<Session>({ process: text, adapter: text, concurrency: whole(1), versions: table(text) }),
);

const resultShape = object<Result>({
  item: text,
  sampler: text,
  pick: PICKS,
  sample: whole(),
  verdict: oneOf(...VERDICTS),
  answer: orNull(text),
  text,
  tokens: whole(),
  finish: oneOf('eos', 'length', null),
  logp: orNull(number(-Number.MAX_VALUE, Number.MAX_VALUE)),
  mass: orNull(share),
  overSteps: orNull(share),
  moves: object<Moves>({ proposed: whole(), accepted: whole(), held: whole() }),
  gate: optional(number(0, Number.MAX_VALUE)),
});

const timingShape = object<Timing>({
  item: text,
  sampler: text,
  sample: whole(),
  process: text,
  began: seconds,
  ended: seconds,
  graded: seconds,
  costs: object<RunCosts>({
    drawnTokens: whole(),
    computedRows: whole(),
    draftedRows: whole(),
    usedDrafts: whole(),
    sequentialPasses: whole(),
    abandoned: whole(),
  }),
});

/** Checks the lines of results.jsonl from the first on: each a response that the plan asks for, and no two that contradict each other. */
export function resultCheck(plan: Plan): (value: unknown, line: number) => string | undefined {
  const place = placeCheck(plan);
  const first = new Map<string, { line: number; verdict: Verdict }>();
  const shape = named('the line', resultShape);
  return (value, line) => {
    const problem = shape(value) ?? place(value as Result);
    if (problem) return problem;
    const { verdict, finish } = value as Result;
    if ((verdict === 'too long') !== (finish === null))
      return `verdict is ${JSON.stringify(verdict)}, but finish is ${JSON.stringify(finish)}`;
    const key = keyOf(value as Result);
    const twin = first.get(key);
    if (!twin) first.set(key, { line, verdict });
    return twin && twin.verdict !== verdict
      ? `says ${JSON.stringify(verdict)} where line ${twin.line} says ${JSON.stringify(twin.verdict)} of the same response`
      : undefined;
  };
}

/** Checks a line of timings.jsonl. */
export function timingCheck(plan: Plan): Check {
  const place = placeCheck(plan);
  const shape = named('the line', timingShape);
  return (value) => {
    const problem = shape(value) ?? place(value as Timing);
    if (problem) return problem;
    const { began, ended } = value as Timing;
    return ended < began ? `ended is ${ended}, before began, ${began}` : undefined;
  };
}

type Placed = Pick<Result, 'item' | 'sampler' | 'sample'> & Partial<Pick<Result, 'pick'>>;

/** Whether the plan asks for such a response. */
function placeCheck(plan: Plan): (line: Placed) => string | undefined {
  const own = new Set(partOf(plan.items, plan.shard));
  const all = new Set(plan.items);
  const picks = new Map(plan.samplers.map(({ sampler, picks }) => [sampler, picks]));
  const { samples, shard } = plan;
  return ({ item, sampler, pick, sample }) => {
    if (!all.has(item)) return `item is ${JSON.stringify(item)}, which the run does not have`;
    if (!own.has(item)) return `item is ${JSON.stringify(item)}, which is not of shard ${shard?.index}`;
    const known = picks.get(sampler);
    if (!known) return `sampler is ${JSON.stringify(sampler)}, which the run does not have`;
    if (pick && !known.includes(pick))
      return `pick is ${JSON.stringify(pick)}, which ${sampler} does not have`;
    return sample < samples ? undefined : `sample is ${sample}: a whole number below ${samples}`;
  };
}

/** How many responses the plan asks for. */
export function responsesOf(plan: Plan): number {
  const rows = plan.samplers.reduce((n, { picks }) => n + picks.length, 0);
  return partOf(plan.items, plan.shard).length * plan.samples * rows;
}

/** Keys of the responses that are not among those found, as far as they are asked for: a plan may be of very many. */
export function* missingFrom(plan: Plan, results: readonly Result[]): Generator<string> {
  const found = new Set(results.map(keyOf));
  for (const item of partOf(plan.items, plan.shard)) {
    for (const { sampler, picks } of plan.samplers) {
      for (const pick of picks) {
        for (let sample = 0; sample < plan.samples; sample++) {
          const key = keyOf({ item, sampler, pick, sample });
          if (!found.has(key)) yield key;
        }
      }
    }
  }
}
