/**
 * lm-eval as a client: `npm run lm-eval`, which no test run does, since it installs a gigabyte. It asks a server of the embedded model by
 * `local-completions`, on tasks whose data are made here. Its log-likelihoods must be those of `egps score`, and its accuracies those that
 * are counted by hand.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import * as assert from 'uvu/assert';
import { generate } from '../../src/api/generate.ts';
import { score } from '../../src/api/score.ts';
import { endOf } from '../support/process.ts';
import { problems, type Speaking, speakingModel, withServer } from '../support/server.ts';

import { pythonWith } from './venv.ts';

const ITEMS = 40;
const NEWLINE = '\n';

interface Item {
  readonly question: string;
  readonly choices: readonly string[];
  readonly right: number;
  /** What stands behind the question: every other time what the model writes there greedily. */
  readonly line: string;
}

/** Problems, and beginnings of answers with sums of which one is right. */
async function items(model: Speaking): Promise<Item[]> {
  const questions = problems(ITEMS).map((problem) => problem.trimEnd());
  const lines = await Promise.all(questions.map((question) => firstLine(model, question)));
  return questions.map((question, i) => {
    const [, first, second] = (/(\d+)\D+(\d+)/.exec(question) ?? []).map(Number);
    const right = i % 4;
    const sums = [0, 1, 2, 3].map((k) => first + second + 10 * (k - right));
    return {
      question,
      choices: sums.map((sum) => `${first} + ${second} = ${sum}.`),
      right,
      line: i % 2 === 0 ? lines[i] : `${first} + ${second}`,
    };
  });
}

async function firstLine(model: Speaking, question: string): Promise<string> {
  const options = { sampler: 'greedy', maxNewTokens: 60, stop: ['\n'] } as const;
  return (await generate(model, `${question}\n`, options)).text ?? '';
}

const TASKS: Readonly<Record<string, string>> = {
  egps_choice: `output_type: multiple_choice
doc_to_text: "{{question}}\\n"
doc_to_choice: choices
doc_to_target: right
target_delimiter: ""
metric_list: [{metric: acc}, {metric: acc_norm}]`,
  egps_greedy: `output_type: loglikelihood
doc_to_text: "{{question}}\\n"
doc_to_target: "{{line}}"
target_delimiter: ""
metric_list: [{metric: acc}]`,
  egps_write: `output_type: generate_until
doc_to_text: "{{question}}\\n"
doc_to_target: "{{line}}"
generation_kwargs: {until: ["\\n"], max_gen_toks: 60}
metric_list: [{metric: exact_match}]`,
};

interface Sample {
  readonly doc_id: number;
  readonly resps: unknown;
  readonly filtered_resps: unknown;
  readonly acc?: number;
  readonly acc_norm?: number;
}

async function main(): Promise<void> {
  const model = await speakingModel();
  const dir = mkdtempSync(join(tmpdir(), 'egps-lm-eval-'));
  try {
    const all = await items(model);
    mkdirSync(join(dir, 'tasks'));
    writeFileSync(join(dir, 'items.jsonl'), all.map((item) => `${JSON.stringify(item)}\n`).join(''));
    for (const [name, task] of Object.entries(TASKS)) {
      const common = `task: ${name}\ndataset_path: json\ndataset_kwargs: {data_files: {test: ${join(dir, 'items.jsonl')}}}\ntest_split: test\n`;
      writeFileSync(join(dir, 'tasks', `${name}.yaml`), `${common}${task}\n`);
    }
    await withServer(model, {}, async ({ url }) => {
      const settings = {
        model: 'abacus',
        base_url: `${url}/v1/completions`,
        tokenizer: resolve('models/abacus'),
        tokenizer_backend: 'huggingface',
        num_concurrent: '8',
        max_length: '1024',
      };
      const child = spawn(
        pythonWith('test/python/lm-eval.txt'),
        [
          ...['-m', 'lm_eval', '--model', 'local-completions', '--tasks', Object.keys(TASKS).join()],
          ...['--include_path', join(dir, 'tasks'), '--output_path', join(dir, 'out'), '--log_samples'],
          ...[
            '--model_args',
            Object.entries(settings)
              .map((pair) => pair.join('='))
              .join(),
          ],
        ],
        { env: { ...process.env, HF_HUB_OFFLINE: '1', HF_HOME: join(dir, 'hf') } },
      );
      const { code, err } = await endOf(child);
      if (code !== 0) throw new Error(`lm_eval ended with ${code}: ${err.slice(-5000)}`);
    });
    await check(model, dir, all);
  } finally {
    rmSync(dir, { recursive: true });
    model.dispose();
  }
}

/** Holds what lm-eval has written against the library. */
async function check(model: Speaking, dir: string, all: readonly Item[]): Promise<void> {
  const folder = join(dir, 'out', readdirSync(join(dir, 'out'))[0]);
  const files = readdirSync(folder);
  const read = (start: string) =>
    readFileSync(join(folder, files.find((file) => file.startsWith(start)) ?? start), 'utf8');
  const { results } = JSON.parse(read('results_'));
  const samplesOf = (task: string): Sample[] =>
    read(`samples_${task}`)
      .trim()
      .split(NEWLINE)
      .map((line) => JSON.parse(line));

  /** log p of a choice behind its question, and whether each of its tokens is the likeliest. */
  const scored = async ({ question }: Item, choice: string) => {
    const context = model.tokenizer.encode(question); // lm-eval counts white space at its end to what follows
    const tokens = model.tokenizer.encode(`${question}\n${choice}`);
    const { logp, alternatives } = await score(model, tokens);
    const own = logp.slice(context.length - 1);
    const likeliest = alternatives.slice(context.length - 1);
    return {
      logp: own.reduce((a, b) => a + b, 0),
      greedy: own.every((value, i) => value === likeliest[i][0].logProbability),
    };
  };
  const best = (values: readonly number[]) => values.indexOf(Math.max(...values));

  let worst = 0;
  let right = 0;
  let rightByLength = 0;
  for (const { doc_id: id, filtered_resps: told } of samplesOf('egps_choice')) {
    const item = all[id];
    const own = await Promise.all(item.choices.map((choice) => scored(item, choice)));
    for (const [i, [logp, greedy]] of (told as [string | number, string | boolean][]).entries()) {
      worst = Math.max(worst, Math.abs(Number(logp) - own[i].logp));
      assert.is(String(greedy).toLowerCase(), String(own[i].greedy));
    }
    if (best(own.map(({ logp }) => logp)) === item.right) right++;
    if (best(own.map(({ logp }, i) => logp / item.choices[i].length)) === item.right) rightByLength++;
  }
  let greedy = 0;
  for (const item of all) if ((await scored(item, item.line)).greedy) greedy++;
  for (const { doc_id: id, resps } of samplesOf('egps_write')) {
    assert.equal(resps, [[await firstLine(model, all[id].question)]]);
  }
  const told = (task: string, metric: string): number => results[task][`${metric},none`];
  console.log(`log-likelihoods of ${4 * all.length} choices: off by ${worst} at most`);
  console.log(`acc ${told('egps_choice', 'acc')}, by hand ${right / all.length}`);
  console.log(`acc_norm ${told('egps_choice', 'acc_norm')}, by hand ${rightByLength / all.length}`);
  console.log(`greedy ${told('egps_greedy', 'acc')}, by hand ${greedy / all.length}`);
  assert.ok(worst < 1e-9, `${worst}`);
  for (const count of [right, greedy])
    assert.ok(count > 0 && count < all.length, 'a count that could not fail');
  assert.is(told('egps_choice', 'acc'), right / all.length);
  assert.is(told('egps_choice', 'acc_norm'), rightByLength / all.length);
  assert.is(told('egps_greedy', 'acc'), greedy / all.length);
}

await main();
