/**
 * Accuracy of the samplers on the embedded model's held-out problems: node dist/bench/abacus.js [problems] [concurrent chains]
 * Prints a table and writes bench/results/ADAPTER/abacus.json. Chains decode side by side; their results do not depend on it.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { generate, loadModel, type SamplerOptions } from '../src/index.ts';
import { boxed, mean, median, resultsFolder, standardError } from './statistics.ts';

const [count = 200, concurrent = 32] = process.argv.slice(2).map(Number);
const DIR = 'models/abacus';
const samplers: [string, Partial<SamplerOptions>][] = [
  ['greedy', { sampler: 'greedy' }],
  ['sample, T = 1', { sampler: 'sample', temperature: 1 }],
  ['sample, T = 1/4', { sampler: 'sample', temperature: 0.25 }],
  ['egps, alpha = 4', { sampler: 'egps', alpha: 4 }],
];

const problems: { prompt: string; answer: string }[] = JSON.parse(
  readFileSync(`${DIR}/heldout.json`, 'utf8'),
).slice(0, count);
const model = await loadModel(DIR, { cachePositions: concurrent * 5 * 480 });
const results = [];
for (const [name, options] of samplers) {
  const started = performance.now();
  const cpu = process.cpuUsage();
  const answers: {
    right: boolean;
    logp: number;
    length: number;
    decoded: number;
    sequential: number;
    acceptance: number;
  }[] = [];
  let next = 0;
  const worker = async () => {
    while (next < problems.length) {
      const i = next++;
      const { text, tokens, logp, account } = await generate(model, problems[i].prompt, {
        maxNewTokens: 384,
        ...options,
        chain: i,
      });
      answers[i] = {
        right: boxed(text ?? '') === problems[i].answer,
        logp: logp.reduce((a, b) => a + b, 0),
        length: tokens.length,
        decoded: account.decodedTokens,
        sequential: account.sequentialSteps,
        acceptance: account.proposed ? account.accepted / account.proposed : Number.NaN,
      };
      if (process.stderr.isTTY)
        process.stderr.write(`\r${name}: ${answers.filter(Boolean).length} of ${problems.length} `);
    }
  };
  await Promise.all(Array.from({ length: concurrent }, worker));
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  const accuracy = mean(answers.map(({ right }) => Number(right)));
  const { user, system } = process.cpuUsage(cpu);
  const row = {
    sampler: name,
    problems: answers.length,
    accuracy,
    standardError: Math.sqrt((accuracy * (1 - accuracy)) / answers.length),
    meanLogp: mean(answers.map(({ logp }) => logp)),
    logpStandardError: standardError(answers.map(({ logp }) => logp)),
    meanLength: mean(answers.map(({ length }) => length)),
    decodedTokens: mean(answers.map(({ decoded }) => decoded)),
    sequentialSteps: mean(answers.map(({ sequential }) => sequential)),
    medianAcceptance: median(answers.map(({ acceptance }) => acceptance).filter((a) => !Number.isNaN(a))),
    wallSeconds: (performance.now() - started) / 1000,
    cpuSeconds: (user + system) / 1e6,
  };
  results.push(row);
  console.log(
    `${name.padEnd(16)} accuracy ${(100 * accuracy).toFixed(1)} ± ${(100 * row.standardError).toFixed(1)} %` +
      `  log p ${row.meanLogp.toFixed(2)}  length ${row.meanLength.toFixed(0)}` +
      `  decoded ${row.decodedTokens.toFixed(0)}  sequential ${row.sequentialSteps.toFixed(0)}  ${row.wallSeconds.toFixed(0)} s`,
  );
}
const folder = resultsFolder(model.adapter.description);
mkdirSync(folder, { recursive: true });
const { description } = model.adapter;
writeFileSync(
  `${folder}/abacus.json`,
  `${JSON.stringify({ adapter: description, node: process.version, concurrent, results }, null, 2)}\n`,
);
model.dispose();
