import * as assert from 'uvu/assert';
import { loadDefaults } from '../../src/api/model-defaults.ts';
import { CheckpointError } from '../../src/base/errors.ts';
import { failure, withFolder } from '../support/folder.ts';
import { test } from '../support/suite.ts';

test("a model's own defaults are read and checked", async () => {
  await withFolder({}, async (dir) => assert.equal(await loadDefaults(dir), {}));
  const all = {
    alpha: 4,
    maxNewTokens: 8,
    blockSize: 2,
    steps: 3,
    finalSteps: 5,
    tries: 4,
    cutLaw: 'uniform',
    gate: 0.5,
    growth: 'blocks',
    particles: 16,
  };
  for (const json of [all, { gate: 'auto' }]) {
    await withFolder({ 'egps.json': json }, async (dir) => assert.equal(await loadDefaults(dir), json));
  }
  const refused = (json: object | string, message: RegExp) =>
    withFolder({ 'egps.json': json }, async (dir) => {
      await failure(CheckpointError, message, () => loadDefaults(dir));
    });
  await refused(
    { alhpa: 4 },
    new RegExp(`unknown key "alhpa": the keys are ${Object.keys(all).join(', ')}$`),
  );
  await refused({ seed: 1 }, /unknown key "seed"/);
  await refused('{"toString":1}', /unknown key "toString"/);
  await refused('{"__proto__":{"alpha":1}}', /unknown key "__proto__"/);
  await refused({ alpha: '4' }, /alpha is "4": a finite number from 1 on/);
  await refused('{"alpha":1e999}', /alpha is .*: a finite number/);
  await refused({ tries: 0 }, /tries is 0: a whole number from 1 to 256/);
  await refused({ cutLaw: 1 }, /cutLaw is 1: one of uniform, /);
  await refused({ cutLaw: 'nowhere' }, /egps\.json: cutLaw is "nowhere": one of /);
  await refused([], /not a JSON object/);
  await refused('null', /not a JSON object/);
});

test('a key that stands twice in them is warned of', async () => {
  await withFolder({ 'egps.json': '{"gate":1,"gate":0.5}' }, async (dir) => {
    const warnings: string[] = [];
    assert.equal(await loadDefaults(dir, (message) => warnings.push(message)), { gate: 0.5 });
    assert.is(warnings.length, 1);
    assert.match(warnings[0], /egps\.json: the key "gate" stands twice in one object, the last one counts/);
  });
});

test.run();
