import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { KernelError } from '../../src/base/errors.ts';
import { loadConfig, tensorShapes } from '../../src/checkpoint/config.ts';
import { tellChecks } from '../../src/cli/info.ts';
import { Gpu } from '../../src/gpu/device.ts';
import type { ShaderName, Sources } from '../../src/gpu/kernel.ts';
import { shaders } from '../../src/gpu/shaders.ts';
import {
  Checks,
  EMBEDDED,
  FEATURED,
  FEATURED_BF16,
  holdShape,
  type Made,
  quickKeysTest,
  quickQuantizedTest,
  quickSelfTest,
  quickTuning,
  selfTest,
} from '../../src/selftest/self-test.ts';
import { fewPlans, slidingPlan } from '../../src/selftest/trials.ts';
import { trust } from '../../src/selftest/trusted.ts';
import { inProcess } from '../support/cli.ts';
import { failure, withFolder } from '../support/folder.ts';
import { test } from '../support/suite.ts';
import {
  CODES,
  COMMON,
  FEATURES,
  KEYS,
  MULTIPLICATIONS,
  OTHER_MULTIPLICATIONS,
  withFault,
} from './mutants.ts';

const gpu = await Gpu.open();
/** As a new process would. */
const fresh = (run: Parameters<typeof trust>[1]) => trust(gpu, run, new Map());
/** Those of this adapter: another set of multiplications is for other adapters. */
const mutants = [...COMMON, ...(gpu.adapter.cpu && gpu.adapter.subgroups ? MULTIPLICATIONS : [])];

for (const [keys, quick] of Object.entries({ f32: quickSelfTest, bf16: quickKeysTest }))
  test(`every kernel that runs here is found right, by the short self-test: keys in ${keys}`, async () => {
    const checks = await quick(gpu);
    for (const { kernel, form, error, bound, right } of checks) {
      assert.ok(right, `${kernel} ${form}: ${error} of ${bound}`);
      assert.ok(
        bound === 0 || error < bound / 4,
        `${kernel} ${form}: ${error} of ${bound} leaves no room for other adapters`,
      );
    }
    assert.is(new Set(checks.map(({ kernel }) => kernel)).size, 11);
  });

test('codes for weights are found right: packed, quantised, multiplied, in an order of their own', async () => {
  const checks = await quickQuantizedTest(gpu);
  for (const { kernel, form, error, bound, right } of checks)
    assert.ok(right, `${kernel} ${form}: ${error} of ${bound}`);
  const kernels = new Set(checks.map(({ kernel }) => kernel));
  for (const kernel of ['pack-codes', 'quantize', 'permute'] as const) assert.ok(kernels.has(kernel), kernel);
});

test('every file of shaders/ has a mutant, but for layouts', () => {
  const files = [...COMMON, ...CODES, ...FEATURES, ...KEYS, ...MULTIPLICATIONS, ...OTHER_MULTIPLICATIONS].map(
    ({ file }) => file,
  );
  const without = (Object.keys(shaders) as ShaderName[]).filter((file) => !files.includes(file));
  assert.equal(without, ['row', 'sizes']);
});

/** Some of the passes that `info --self-test` adds: those of what only some models have. */
const holdFeatures = (sources?: Sources) => holdSliding(FEATURED, sources);
const holdKeys = (sources?: Sources) => holdSliding(FEATURED_BF16, sources);
async function holdSliding(shape: Made, sources?: Sources) {
  const checks = new Checks();
  await holdShape(gpu, shape, quickTuning(gpu), [slidingPlan], checks, sources);
  return checks.all();
}

test('what only some models have is found right: normed heads, layers that slide, every bias', async () => {
  const checks = await holdFeatures();
  for (const { kernel, form, error, bound, right } of checks)
    assert.ok(right, `${kernel} ${form}: ${error} of ${bound}`);
  const names = checks.map(({ kernel, form }) => `${kernel} ${form}`.trim());
  for (const name of ['qk-norm', 'attention spans of a window', 'attention-merge of a window'])
    assert.ok(names.includes(name), name);
  for (const kernel of ['project', 'gate-up'])
    assert.ok(
      names.some((name) => name.startsWith(kernel) && name.endsWith(', biases')),
      kernel,
    );
});

const cases = [
  ...mutants.map((mutant) => ({
    mutant,
    hold: (sources: Sources) => quickSelfTest(gpu, undefined, sources),
  })),
  ...FEATURES.map((mutant) => ({ mutant, hold: holdFeatures })),
  ...KEYS.map((mutant) => ({ mutant, hold: holdKeys })),
  ...CODES.filter(({ file }) => file !== 'matvec-groups' || gpu.adapter.subgroups).map((mutant) => ({
    mutant,
    hold: (sources: Sources) => quickQuantizedTest(gpu, sources, (tuning) => fewPlans(tuning).slice(0, 1)),
  })),
];
for (const [i, { mutant, hold }] of cases.entries()) {
  const { file, was, is, wrong = [file] } = mutant;
  test(`mutant ${i + 1} is caught, and nothing else: ${file}, ${is} for ${was}`, async () => {
    const checks = await hold(withFault(mutant));
    const found = [...new Set(checks.filter(({ right }) => !right).map(({ kernel }) => kernel))];
    assert.ok(found.length > 0, 'no kernel is found wrong');
    for (const kernel of found) assert.ok((wrong as string[]).includes(kernel), `${kernel} is found wrong`);
  });
}

test('a wrong kernel is named with its error and bound; what has passed is remembered, and tested again when its file is damaged', () =>
  withFolder({}, async (dir) => {
    const before = process.env.XDG_CACHE_HOME;
    process.env.XDG_CACHE_HOME = dir;
    try {
      let runs = 0;
      const finding = (right: boolean) => async () => {
        runs++;
        return [{ kernel: 'qkv', form: 'matvec', error: 0.001, bound: 1e-5, right }] as const;
      };
      const refused = () =>
        failure(KernelError, /qkv \(matvec\) is off by 1\.0e-3, 1\.0e-5 is/, () => fresh(finding(false)));
      await refused();
      assert.is((await refused()).error, 0.001);
      assert.is(runs, 2, 'what has failed is tested again');
      await fresh(finding(true));
      await fresh(finding(false)); // remembered
      assert.is(runs, 3);
      const folder = join(dir, 'egps');
      const files = readdirSync(folder);
      assert.is(files.length, 1);
      writeFileSync(join(folder, files[0]), 'damaged');
      await refused();
      // No place to write to: no error.
      process.env.XDG_CACHE_HOME = join(folder, files[0]);
      await fresh(finding(true));
      await fresh(finding(true));
      assert.is(runs, 6);
    } finally {
      process.env.XDG_CACHE_HOME = before;
      if (before === undefined) delete process.env.XDG_CACHE_HOME;
    }
  }));

test('the short self-test has the sizes of the embedded model', async () => {
  const embedded = await loadConfig('models/abacus');
  const own = { ...embedded, numHiddenLayers: 1 };
  assert.equal([...tensorShapes(EMBEDDED.config)], [...tensorShapes(own)]);
  assert.is(EMBEDDED.config.rmsNormEps, embedded.rmsNormEps);
});

test('egps info --self-test holds every kernel in all its forms, and says what it found', async () => {
  const { code, out, err } = await inProcess(['info', '--self-test']);
  assert.is(code, 0, err);
  const [head, ...lines] = out.trimEnd().split('\n');
  assert.match(head, /^kernel +form +error +bound$/);
  for (const line of lines) assert.match(line, / ok$/);
  const found = new Set(lines.map((line) => line.split(' ')[0]));
  const kernels = Object.entries(shaders).filter(([, source]) => source.includes('fn main('));
  assert.equal([...found].sort(), kernels.map(([name]) => name).sort());
});

test('a kernel that is wrong is marked in the table, and ends the command by its name', async () => {
  const [right] = await quickSelfTest(gpu);
  const wrong = { ...right, kernel: 'qkv', form: 'matvec', error: 0.001, bound: 1e-5, right: false } as const;
  const told: string[] = [];
  const io = { out: (text: string) => void told.push(text) };
  tellChecks(gpu, [right], io);
  assert.throws(() => tellChecks(gpu, [right, wrong], io), /kernel qkv \(matvec\) is off by 1\.0e-3/);
  assert.match(told.join(''), / ok\nqkv +matvec +1\.0e-3 +1\.0e-5 +WRONG\n$/);
});

test('the long self-test can be ended at every pass', async () => {
  let passes = 0;
  const ended = selfTest(gpu, EMBEDDED, () => {
    if (++passes === 2) throw new Error('enough');
  });
  await failure(Error, /enough/, () => ended);
  assert.is(passes, 2);
});

test.after(() => gpu.dispose());

test.run();
