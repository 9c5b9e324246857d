import type { Item } from '../../src/eval/item.ts';
import type { Result, Timing } from '../../src/eval/result.ts';
import type { Plan } from '../../src/eval/run-folder.ts';
import { SESSION } from './small-run.ts';

/** Three items of which the second is too long, two samplers, two runs each. */
export const EXPORTED: Plan = {
  egps: '1.0.0',
  task: 'my task',
  data: 'ab12',
  model: 'org/m',
  modelDigest: 'd',
  promptStyle: 'base',
  samplers: [
    { sampler: 'greedy', options: options('greedy', 0), chain: 'greedy', picks: ['last'] },
    {
      sampler: 'egps:steps=2',
      options: options('egps', 0.25),
      chain: 'egps:steps=2',
      picks: ['last', 'vote'],
    },
  ],
  seed: '0',
  samples: 2,
  skippedLines: 0,
  items: ['a', 'b', 'c'],
};

function options(sampler: string, temperature: number) {
  return { sampler, temperature, topP: 1, topK: 0, maxNewTokens: 64, alpha: 4, entropyThreshold: 'auto' };
}

/** By item and pick, of the two runs. */
const RIGHT: Readonly<Record<string, readonly boolean[]>> = {
  'a last': [true, true],
  'a vote': [true, false],
  'c last': [false, true],
  'c vote': [false, false],
};

/** The files of a run folder. */
export function exportedFiles(plan: Plan = EXPORTED): Record<string, string> {
  const items = plan.items.map(
    (id): Item => ({ id, prompt: 'Say "é"\u2028\u0085?', grader: 'exact', answer: '1' }),
  );
  const own = { mass: null, overSteps: null, moves: { proposed: 2, accepted: 1, held: 0 } };
  const results = plan.items.flatMap((item) =>
    plan.samplers.flatMap(({ sampler, picks }) =>
      picks.flatMap((pick) =>
        [0, 1].map((sample): Result => {
          const key = { item, sampler, pick, sample };
          if (item === 'b') {
            const nothing = { answer: null, text: '', tokens: 0, finish: null, logp: null };
            return { ...key, verdict: 'too long', ...nothing, ...own };
          }
          const right = RIGHT[`${item} ${pick}`][sample];
          const drawn = { tokens: 3, finish: 'eos', logp: -1 } as const;
          return right
            ? { ...key, verdict: 'right', answer: '1', text: `\\boxed{1} ${sample}`, ...drawn, ...own }
            : { ...key, verdict: 'no answer', answer: null, text: 'x', ...drawn, ...own };
        }),
      ),
    ),
  );
  const rows = { computedRows: 3, draftedRows: 0, usedDrafts: 0, sequentialPasses: 3 };
  const timings = plan.items.flatMap((item) =>
    plan.samplers.flatMap(({ sampler }) =>
      [0, 1].map((sample): Timing => {
        const costs = { drawnTokens: 3, abandoned: 0, ...rows };
        return { item, sampler, sample, process: 'p', began: 0.5, ended: 2, graded: 0, costs };
      }),
    ),
  );
  const jsonl = (values: readonly object[]) => values.map((value) => `${JSON.stringify(value)}\n`).join('');
  return {
    'run.json': JSON.stringify(plan),
    'items.json': `${JSON.stringify(items, null, 1)}\n`,
    'results.jsonl': jsonl(results),
    'timings.jsonl': jsonl(timings),
    'sessions.jsonl': jsonl([SESSION]),
  };
}
