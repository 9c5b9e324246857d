import type { Item } from '../../src/eval/item.ts';
import type { Result, Timing } from '../../src/eval/result.ts';
import type { Plan, Session } from '../../src/eval/run-folder.ts';

/** A run in two shards that is through, without a model. */
export const WHOLE: Plan = {
  egps: '1.0.0',
  task: 'abacus',
  model: 'abacus',
  modelDigest: 'd',
  promptStyle: 'base',
  samplers: [
    { sampler: 'greedy', options: {}, chain: 'greedy', picks: ['last'] },
    { sampler: 'egps', options: { alpha: 4 }, chain: 'egps', picks: ['last', 'likeliest'] },
  ],
  seed: '0',
  samples: 2,
  skippedLines: 0,
  items: ['a', 'b', 'c', 'd', 'e'],
};
export const plan = (index: number): Plan => ({ ...WHOLE, shard: { index, count: 2 } });
/** Of shard 0: 3 items, 3 rows, 2 samples. */
export const TOTAL = 18;

export const itemsOf = (index: number): Item[] =>
  WHOLE.items
    .filter((_, i) => i % 2 === index)
    .map((id) => ({ id, prompt: '?', grader: 'exact', answer: '1' }));

export const resultsOf = (index: number): Result[] =>
  itemsOf(index).flatMap(({ id: item }) =>
    WHOLE.samplers.flatMap(({ sampler, picks }) =>
      picks.flatMap((pick) =>
        [0, 1].map((sample): Result => {
          const drawn = { verdict: 'right', answer: '1', text: 'x', tokens: 3, finish: 'eos' } as const;
          const own = { logp: -1, mass: null, overSteps: null, moves: { proposed: 2, accepted: 1, held: 0 } };
          return { item, sampler, pick, sample, ...drawn, ...own };
        }),
      ),
    ),
  );

export const timingsOf = (index: number): Timing[] =>
  itemsOf(index).flatMap(({ id: item }) =>
    WHOLE.samplers.flatMap(({ sampler }) =>
      [0, 1].map((sample): Timing => {
        const rows = { computedRows: 3, draftedRows: 0, usedDrafts: 0, sequentialPasses: 3 };
        const costs = { drawnTokens: 3, abandoned: 0, ...rows };
        return { item, sampler, sample, process: 'p', began: 0, ended: 1, graded: 0, costs };
      }),
    ),
  );

export const SESSION: Session = { process: 'p', adapter: 'a', concurrency: 1, versions: { node: '20' } };
const jsonl = (values: readonly object[]) => values.map((value) => `${JSON.stringify(value)}\n`).join('');

export const filesOf = (index: number): Record<string, string> => ({
  'run.json': JSON.stringify(plan(index)),
  'items.json': `${JSON.stringify(itemsOf(index), null, 1)}\n`,
  'results.jsonl': jsonl(resultsOf(index)),
  'timings.jsonl': jsonl(timingsOf(index)),
  'sessions.jsonl': jsonl([SESSION]),
});
