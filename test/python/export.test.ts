import * as assert from 'uvu/assert';
import { exportedFiles } from '../eval/exported-run.ts';
import { inProcess } from '../support/cli.ts';
import { withFolder } from '../support/folder.ts';
import { test } from '../support/suite.ts';
import { python } from './venv.ts';

async function exported(dir: string, format: string): Promise<string> {
  const { code, err, out } = await inProcess(['eval', 'export', dir, '--format', format]);
  assert.is(code, 0, err);
  return JSON.stringify(out.split('\n').slice(0, -1));
}

test("lm-eval's own types read what is exported, and its hashes are the same", () =>
  withFolder(exportedFiles(), async (dir) => {
    const script = `
import glob, json, os, sys
sys.path.insert(0, glob.glob(os.environ['WHEELS'] + '/lm_eval-*.whl')[0])
from lm_eval.result_schema import EvalResults, SampleResult
from pydantic import TypeAdapter
from hashlib import sha256
samples, results = TypeAdapter(SampleResult), TypeAdapter(EvalResults)
found = []
for file in json.loads(os.environ['FILES']):
    with open(file, encoding='utf-8') as opened:
        if file.endswith('.json'):
            summary = json.load(opened)
            summary.pop('configs') # which lm-eval itself fills with more than its type allows
            results.validate_python(summary)
        else:
            for line in opened.read().splitlines():
                sample = samples.validate_python(json.loads(line))
                dumped = json.dumps(sample['doc'], indent=2, ensure_ascii=False)
                found.append(sample['doc_hash'] == sha256(dumped.encode()).hexdigest())
try:
    samples.validate_python({**sample, 'acc': 'right'})
except ValueError:
    found.append('refused')
print(json.dumps(found))`;
    const FILES = await exported(dir, 'lm-eval');
    assert.equal(await python(script, { ...process.env, FILES }), [...Array(6).fill(true), 'refused']);
  }));

test("Every Eval Ever's schemas take every record", () =>
  withFolder(exportedFiles(), async (dir) => {
    const script = `
import glob, json, os, zipfile
from jsonschema import Draft7Validator
wheel = zipfile.ZipFile(glob.glob(os.environ['WHEELS'] + '/every_eval_ever-*.whl')[0])
schema = lambda name: Draft7Validator(json.loads(wheel.read(f'every_eval_ever/schemas/{name}.schema.json')))
aggregate, instance = schema('eval'), schema('instance_level_eval')
problems, lines = [], 0
for file in json.loads(os.environ['FILES']):
    with open(file, encoding='utf-8') as opened:
        if file.endswith('.json'):
            problems += [str(error) for error in aggregate.iter_errors(json.load(opened))]
        else:
            for line in opened.read().splitlines():
                lines += 1
                record = json.loads(line)
                problems += [str(error) for error in instance.iter_errors(record)]
seen = len(list(instance.iter_errors({**record, 'metadata': {'tokens': 3}})))
print(json.dumps({'problems': problems, 'lines': lines, 'seen': seen}))`;
    const FILES = await exported(dir, 'every-eval-ever');
    assert.equal(await python(script, { ...process.env, FILES }), { problems: [], lines: 12, seen: 1 });
  }));

test.run();
