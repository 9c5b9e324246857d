import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { inProcess } from '../support/cli.ts';
import { withFolder } from '../support/folder.ts';
import { test } from '../support/suite.ts';
import { EXPORTED, exportedFiles } from './exported-run.ts';
import { filesOf } from './small-run.ts';

const run = (argv: readonly string[]) => inProcess(['eval', 'export', ...argv]);

async function exported(dir: string, argv: readonly string[]): Promise<string[]> {
  const { code, err, out } = await run([dir, ...argv]);
  assert.is(code, 0, err);
  return out.split('\n').slice(0, -1);
}

const json = (file: string) => JSON.parse(readFileSync(file, 'utf8'));
const jsonl = (file: string) => {
  const lines = readFileSync(file, 'utf8').split('\n');
  assert.is(lines.pop(), '');
  return lines.map((line) => JSON.parse(line));
};
const sha256 = (text: string | Uint8Array) => createHash('sha256').update(text).digest('hex');

test('lm-eval: a folder for each sampler, a filter for each pick, one line an item', () =>
  withFolder(exportedFiles(), async (dir) => {
    const files = await exported(dir, ['--format', 'lm-eval']);
    const folders = ['org__m__greedy', 'org__m__egps__steps=2'];
    assert.equal(readdirSync(join(dir, 'lm-eval')).sort(), [...folders].sort());
    assert.is(files.length, 4);
    const [results, samples] = files.slice(2);
    assert.match(results, /steps=2\/results_\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d+\.json$/);
    assert.match(samples, /steps=2\/samples_my_task_\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d+\.jsonl$/);

    const lines = jsonl(samples);
    assert.equal(
      lines.map(({ doc_id, filter, acc }) => [doc_id, filter, acc]),
      [
        [0, 'none', 1],
        [2, 'none', 0.5],
        [0, 'vote', 0.5],
        [2, 'vote', 0],
      ],
      'the second item did not fit the context',
    );
    const [first] = lines;
    const doc = { id: 'a', prompt: 'Say "é"\u2028\u0085?', answer: '1', grader: 'exact' };
    assert.equal(first.doc, doc);
    assert.is(first.target, '1');
    assert.equal(first.resps, [['\\boxed{1} 0', '\\boxed{1} 1']]);
    assert.equal(first.filtered_resps, first.resps);
    assert.equal(first.arguments.gen_args_0, {
      arg_0: doc.prompt,
      arg_1: {
        until: [],
        do_sample: true,
        temperature: 0.25,
        top_p: 1,
        top_k: 0,
        max_gen_toks: 64,
        sampler: 'egps:steps=2',
      },
    });
    assert.is(
      first.doc_hash,
      // json.dumps(doc, indent=2, ensure_ascii=False)
      sha256(
        '{\n  "id": "a",\n  "prompt": "Say \\"é\\"\u2028\u0085?",\n  "answer": "1",\n  "grader": "exact"\n}',
      ),
    );
    assert.is(first.prompt_hash, sha256(doc.prompt));
    assert.is(first.target_hash, sha256('1'));

    const summary = json(results);
    const { sample_len, ...scores } = summary.results.my_task;
    assert.is(sample_len, 2);
    assert.equal(scores, {
      name: 'my_task',
      alias: 'my_task',
      'acc,none': 0.75,
      'acc_stderr,none': 0.25,
      'acc,vote': 0.25,
      'acc_stderr,vote': 0.25,
    });
    assert.equal(summary['n-samples'], { my_task: { original: 3, effective: 2 } });
    assert.is(summary.config.model_args, 'pretrained=org/m,sampler=egps:steps=2');
    assert.is(summary.model_name, 'org/m');
  }));

test('Every Eval Ever: an aggregate for each sampler, with a line for each response beside it', () =>
  withFolder(exportedFiles(), async (dir) => {
    const files = await exported(dir, ['--format', 'every-eval-ever', '--organization', 'Us']);
    assert.is(files.length, 4);
    const [aggregate, samples] = files.slice(2);
    assert.match(aggregate, /every-eval-ever\/data\/my_task\/org\/m\/[0-9a-f-]{36}\.json$/);
    assert.is(samples, aggregate.replace('.json', '_samples.jsonl'));
    const record = json(aggregate);
    const { evaluation_results: results, detailed_evaluation_results: detailed } = record;
    assert.equal(
      results.map((one: { evaluation_result_id: string; evaluation_name: string }) => [
        one.evaluation_result_id,
        one.evaluation_name,
      ]),
      [
        ['acc', 'my task'],
        ['acc:vote', 'my task/vote'],
      ],
    );
    assert.is(results[0].score_details.score, 0.75);
    assert.is(results[0].score_details.details.too_long, '2');
    assert.equal(results[0].score_details.uncertainty.standard_error, { value: 0.25, method: 'analytic' });
    assert.is(results[0].generation_config.generation_args.temperature, 0.25);
    assert.is(record.source_metadata.source_organization_name, 'Us');
    assert.is(record.model_info.id, 'org/m');
    assert.is(detailed.file_path, samples.slice(samples.indexOf('data/')));
    assert.is(detailed.checksum, sha256(readFileSync(samples)));
    const lines = jsonl(samples);
    assert.is(lines.length, 2 * 2 * 2);
    assert.is(detailed.total_rows, lines.length);
    assert.ok(lines.every(({ evaluation_id }) => evaluation_id === record.evaluation_id));
    const [first] = lines;
    assert.equal(first.answer_attribution[0].extracted_value, '1');
    assert.equal(first.evaluation, { score: 1, is_correct: true });
    assert.equal(first.performance, { latency_ms: 1500 });
    assert.is(first.metadata.finish, 'eos');
    assert.equal(lines[2].answer_attribution, [], 'it gave no answer');

    const again = await exported(dir, ['--format', 'every-eval-ever']);
    assert.equal(again, files, 'the same run has the same names');
  }));

test('what a run does not know of the model comes from --model-id, or says that it is a folder here', () =>
  withFolder(exportedFiles({ ...EXPORTED, model: 'my model' }), async (dir) => {
    const [local] = await exported(dir, ['--format', 'every-eval-ever', '--out', join(dir, 'e1')]);
    assert.match(local, /e1\/data\/my_task\/local\/my_model\//);
    const [given] = await exported(dir, ['--format', 'every-eval-ever', '--model-id', 'Org/M-1']);
    assert.match(given, /data\/my_task\/Org\/M-1\//);
    assert.is(json(given).model_info.name, 'my model');
  }));

const REFUSED: [string, readonly string[], RegExp, number][] = [
  ['no format', [], /--format is missing: lm-eval or every-eval-ever/, 2],
  ['another format', ['--format', 'lm_eval'], /--format is "lm_eval".*did you mean lm-eval/, 2],
  ['an option of a run', ['--format', 'lm-eval', '--seed', '1'], /egps eval export takes no --seed/, 2],
  [
    'an option of the other format',
    ['--format', 'lm-eval', '--organization', 'x'],
    /lm-eval has no place for --organization/,
    2,
  ],
  [
    'an id that is none',
    ['--format', 'every-eval-ever', '--model-id', 'm'],
    /--model-id is "m": ORGANISATION\/NAME/,
    2,
  ],
  ['two runs', ['b', '--format', 'lm-eval'], /unexpected "b": one run at a time/, 2],
];

for (const [name, argv, message, code] of REFUSED) {
  test(`refused: ${name}`, () =>
    withFolder(exportedFiles(), async (dir) => {
      const { err, code: ended } = await run([dir, ...argv]);
      assert.match(err, message);
      assert.is(ended, code);
    }));
}

test('refused: no run, none at all, a shard, one that lacks responses, one whose lines are damaged', async () => {
  const format = ['--format', 'lm-eval'];
  assert.match((await run(format)).err, /egps eval export DIR: of which run/);
  await withFolder({}, async (dir) => {
    assert.match((await run([dir, ...format])).err, /there is no run.json: not the folder of a run/);
    assert.match((await run([join(dir, 'x'), ...format])).err, /there is no run.json/);
  });
  await withFolder(filesOf(0), async (dir) => {
    assert.match((await run([dir, ...format])).err, /is shard 0 of 2; egps eval merge makes one run of them/);
  });
  const files = exportedFiles();
  const lines = files['results.jsonl'].split('\n');
  await withFolder({ ...files, 'results.jsonl': lines.slice(1).join('\n') }, async (dir) => {
    assert.match((await run([dir, ...format])).err, /lacks 1 of 18 responses: \["a","greedy","last",0\];/);
    assert.equal(readdirSync(dir).sort(), Object.keys(files).sort(), 'nothing is written');
  });
  await withFolder({ ...files, 'results.jsonl': ['{}', ...lines.slice(1)].join('\n') }, async (dir) => {
    assert.match((await run([dir, ...format])).err, /results.jsonl, line 1: /);
  });
});

test('the options of an export are refused where there is none', async () => {
  const { err, code } = await inProcess(['eval', '--task', 'abacus', '--format', 'lm-eval']);
  assert.match(err, /--format is of egps eval export/);
  assert.is(code, 2);
});

test.run();
