import * as assert from 'uvu/assert';
import { KernelError } from '../../src/base/errors.ts';
import { Gpu } from '../../src/gpu/device.ts';
import { tensorShapes } from '../../src/checkpoint/config.ts';
import { loadConfig } from '../../src/checkpoint/config.ts';
import { type ShaderName } from '../../src/gpu/kernel.ts';
import { shaders } from '../../src/gpu/shaders.ts';
import { EMBEDDED, type KernelCheck, quickSelfTest } from '../../src/selftest/self-test.ts';
import { failure, withFolder } from '../support/folder.ts';
import { test } from '../support/suite.ts';
import { COMMON, MULTIPLICATIONS, OTHER_MULTIPLICATIONS, withFault } from './mutants.ts';

const gpu = await Gpu.open();
/** Those of this adapter: another set of multiplications is for other adapters. */
const mutants = [...COMMON, ...(gpu.adapter.cpu && gpu.adapter.subgroups ? MULTIPLICATIONS : [])];

test('every kernel that runs here is found right, by the short self-test', async () => {
  const checks = await quickSelfTest(gpu);
  for (const { kernel, form, error, bound, right } of checks) {
    assert.ok(right, `${kernel} ${form}: ${error} of ${bound}`);
    assert.ok(bound === 0 || error < bound / 4, `${kernel} ${form}: ${error} of ${bound} leaves no room for other adapters`);
  }
  assert.is(new Set(checks.map(({ kernel }) => kernel)).size, 11);
});

test('every file of shaders/ has a mutant, but for the layout of rows', () => {
  const files = [...COMMON, ...MULTIPLICATIONS, ...OTHER_MULTIPLICATIONS].map(({ file }) => file);
  const without = (Object.keys(shaders) as ShaderName[]).filter((file) => !files.includes(file));
  assert.equal(without, ['row']);
});

for (const [i, mutant] of mutants.entries()) {
  const { file, was, is, wrong = [file] } = mutant;
  test(`mutant ${i + 1} is caught, and nothing else: ${file}, ${is} for ${was}`, async () => {
    const checks = await quickSelfTest(gpu, undefined, withFault(mutant));
    const found = [...new Set(checks.filter(({ right }) => !right).map(({ kernel }) => kernel))];
    assert.ok(found.length > 0, 'no kernel is found wrong');
    for (const kernel of found) assert.ok((wrong as string[]).includes(kernel), `${kernel} is found wrong`);
  });
}

test('the short self-test has the sizes of the embedded model', async () => {
  const embedded = await loadConfig('models/abacus');
  const own = { ...embedded, numHiddenLayers: 1 };
  assert.equal([...tensorShapes(EMBEDDED.config)], [...tensorShapes(own)]);
  assert.is(EMBEDDED.config.rmsNormEps, embedded.rmsNormEps);
});

test.after(() => gpu.dispose());

test.run();
