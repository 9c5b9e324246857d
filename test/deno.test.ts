import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import * as assert from 'uvu/assert';
import { generate, loadModel } from '../src/index.ts';
import { test } from './support/suite.ts';

const folder = 'test/deno';
const windows = process.platform === 'win32';

/** Runs the Deno of test/deno's package, which is installed where it is missing. */
function deno(...args: string[]): string {
  if (!existsSync(`${folder}/node_modules/deno`)) {
    const npm = spawnSync('npm', ['ci'], { cwd: folder, encoding: 'utf8', shell: windows, timeout: 120_000 });
    if (npm.status !== 0) throw new Error(`npm ci in ${folder} failed: ${npm.stderr}`);
  }
  // Not through the package's launcher: a time limit would end that one alone.
  const require = createRequire(`${process.cwd()}/${folder}/`);
  const binary: string = require('./node_modules/deno/install_api.cjs').runInstall();
  const run = spawnSync(binary, args, {
    encoding: 'utf8',
    env: { ...process.env, DENO_NO_UPDATE_CHECK: '1', NO_COLOR: '1' },
    timeout: 120_000,
  });
  if (run.error) throw run.error;
  if (run.status !== 0) throw new Error(`deno ${args[0]} ended with ${run.status}: ${run.stderr}`);
  return run.stdout;
}

interface Greedy {
  tokens: number[];
  logp: number[];
}

function underDeno(model: string, prompts: string[]): Greedy[] {
  const script = `${folder}/greedy.ts`;
  const config = ['--config', 'deno.json', '--no-prompt', '--allow-read'];
  return JSON.parse(deno('run', ...config, script, model, JSON.stringify(prompts)));
}

async function underNode(folder: string, prompts: string[]): Promise<Greedy[]> {
  const model = await loadModel(folder);
  try {
    const answers: Greedy[] = [];
    for (const prompt of prompts) {
      const { tokens, logp } = await generate(model, prompt, { sampler: 'greedy', maxNewTokens: 100 });
      answers.push({ tokens: [...tokens], logp: [...logp] });
    }
    return answers;
  } finally {
    model.dispose();
  }
}

async function compare(model: string, prompts: string[]): Promise<void> {
  const expected = await underNode(model, prompts);
  const found = underDeno(model, prompts);
  assert.is(found.length, prompts.length);
  for (const [i, { tokens, logp }] of expected.entries()) {
    assert.ok(tokens.length > 0, `prompt ${i} is answered`);
    assert.equal(found[i].tokens, tokens, `tokens of prompt ${i}`);
    const worst = Math.max(...logp.map((value, at) => Math.abs(value - found[i].logp[at])));
    assert.ok(worst <= 1e-4, `log p of prompt ${i} differs by ${worst}`);
  }
}

test('abacus answers greedily under Deno as under Node', () => {
  const golden: { prompt: string }[] = JSON.parse(readFileSync('test/fixtures/abacus-greedy.json', 'utf8'));
  return compare(
    'models/abacus',
    golden.map(({ prompt }) => prompt),
  );
});

test.run();
