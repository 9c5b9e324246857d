import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import * as assert from 'uvu/assert';
import { tracePage } from '../src/report/trace-page.ts';
import { arithmetic } from './report/example.ts';
import { inTemporaryFolder } from './support/models.ts';
import { test } from './support/suite.ts';

const GENERATED = [
  { script: 'scripts/shaders.mjs', source: 'shaders/norm.wgsl', module: 'src/gpu/shaders.ts' },
  {
    script: 'scripts/pages.mjs',
    source: 'src/report/client/trace/main.ts',
    module: 'src/report/client-bundles.ts',
  },
];

for (const { script, source, module } of GENERATED) {
  test(`${module} is what ${script} makes of its sources`, () => {
    inTemporaryFolder((dir) => {
      for (const part of ['scripts', 'shaders', 'src', 'package.json', 'tsconfig.json']) {
        cpSync(part, join(dir, part), { recursive: true });
      }
      symlinkSync(join(process.cwd(), 'node_modules'), join(dir, 'node_modules'));
      const run = (...args: string[]) =>
        spawnSync(process.execPath, [join(dir, script), ...args], { encoding: 'utf8' });
      const check = run('--check');
      assert.is(check.status, 0, check.stderr);

      const text = readFileSync(join(dir, source), 'utf8');
      writeFileSync(
        join(dir, source),
        `${text}\n${text.includes('@') ? 'const EDITED = 1u;' : 'alert(1);'}\n`,
      );
      const edited = run('--check');
      assert.is(edited.status, 1);
      assert.match(edited.stderr, `${module} is not what its sources make: run npm run build`);
      assert.is(readFileSync(join(dir, module), 'utf8'), readFileSync(module, 'utf8'));

      assert.is(run().status, 0);
      assert.is(run('--check').status, 0);
      assert.is.not(readFileSync(join(dir, module), 'utf8'), readFileSync(module, 'utf8'));
    });
  });
}

test('a page is the same where the library has been bundled and minified', async () => {
  const page = { ...arithmetic, adapter: 'A quick adapter', wallSeconds: 1 };
  await inTemporaryFolder(async (dir) => {
    const outfile = join(dir, 'bundle.mjs');
    const entry = 'src/report/trace-page.ts';
    await build({
      entryPoints: [entry],
      bundle: true,
      format: 'esm',
      platform: 'node',
      minify: true,
      outfile,
    });
    const bundled = await import(pathToFileURL(outfile).href);
    assert.is(bundled.tracePage(page), tracePage(page));
  });
});

test('a bundle without the module that grades mathematics says which one it lacks', async () => {
  await inTemporaryFolder(async (dir) => {
    const outfile = join(dir, 'bundle.mjs');
    const entry = 'src/eval/graders/math-pool.ts';
    await build({ entryPoints: [entry], bundle: true, format: 'esm', platform: 'node', outfile });
    const { MathGrader } = await import(pathToFileURL(outfile).href);
    const failure = await new MathGrader().grade('1', '1').catch((error: Error) => error);
    assert.is(failure.name, 'GraderError');
    assert.match(failure.message, 'math-worker.js');
  });
});

test.run();
