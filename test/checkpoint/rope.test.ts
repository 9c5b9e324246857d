import * as assert from 'uvu/assert';
import { CheckpointError, UnsupportedModelError } from '../../src/base/errors.ts';
import { parseRope } from '../../src/checkpoint/rope.ts';
import { failure } from '../support/folder.ts';
import { test } from '../support/suite.ts';

// What is computed is held against transformers in families.test.ts.

const ORIGINAL = 'original_max_position_embeddings';
const TYPES: Record<string, Record<string, unknown>> = {
  linear: { factor: 2 },
  dynamic: { factor: 2 },
  llama3: { factor: 8, low_freq_factor: 1, high_freq_factor: 4, [ORIGINAL]: 64 },
  yarn: { factor: 4, [ORIGINAL]: 64 },
};

/** In both forms: an object of this name, `more` beside it. */
const parse = (key: string, rope: unknown, more: object = {}) => {
  const theta = key === 'rope_scaling' ? { rope_theta: 10000 } : {};
  const value = key === 'rope_parameters' && typeof rope === 'object' ? { rope_theta: 10000, ...rope } : rope;
  return parseRope({ ...theta, [key]: value, ...more }, undefined, 256, 'f');
};
const FORMS = [
  ['rope_scaling', 'type'],
  ['rope_scaling', 'rope_type'],
  ['rope_parameters', 'rope_type'],
] as const;

for (const [key, typeKey] of FORMS) {
  const wrong = (rope: object, message: RegExp, more: object = {}) =>
    failure(CheckpointError, message, () => parse(key, rope, more));
  const refused = async (rope: object, name: string, value: unknown) => {
    const error = await failure(UnsupportedModelError, /supported is/, () => parse(key, rope));
    assert.equal([error.key, error.value], [`${key}.${name}`, value]);
  };

  test(`a scaling by no factor, or an absurd one, is refused: ${key}.${typeKey}`, async () => {
    for (const [type, rope] of Object.entries(TYPES)) {
      for (const name of Object.keys(rope).filter((name) => name !== ORIGINAL)) {
        const { [name]: _, ...rest } = { [typeKey]: type, ...rope };
        await wrong(rest, new RegExp(`required key "${key}.${name}" is missing`));
        if (type !== 'yarn') await wrong({ ...rest, [name]: null }, /is missing/); // to yarn it is the context's ratio
        for (const value of [0, -1, Number.POSITIVE_INFINITY, 1e30, '2', true, [2], {}])
          await wrong(
            { ...rest, [name]: value },
            new RegExp(`${key}.${name} is .*: a number from \\S+ to 1000000`),
          );
      }
      await wrong({ [typeKey]: type, ...rope, factor: 0.5 }, /factor is 0.5: a number from 1 to/);
      for (const value of type === 'linear' ? [] : [0, -1, 1.5, 1e30, '64', [], Number.POSITIVE_INFINITY]) {
        const message = new RegExp(`${ORIGINAL} is .*: a whole number from 1 to 2147483647`);
        await wrong({ [typeKey]: type, ...rope, [ORIGINAL]: value }, message);
        await wrong({ [typeKey]: type, ...rope }, message, { [ORIGINAL]: value });
      }
    }
    const llama3 = { [typeKey]: 'llama3', ...TYPES.llama3 };
    await wrong({ ...llama3, high_freq_factor: 1 }, /high_freq_factor is 1: more than low_freq_factor, 1/);
  });

  test(`absurd parameters of yarn are refused: ${key}.${typeKey}`, async () => {
    const yarn = { [typeKey]: 'yarn', ...TYPES.yarn };
    for (const name of ['attention_factor', 'beta_fast', 'beta_slow', 'mscale', 'mscale_all_dim']) {
      for (const value of [-1, Number.POSITIVE_INFINITY, 1e30, '1', false, []])
        await wrong({ ...yarn, [name]: value }, new RegExp(`${key}.${name} is .*: a number from`));
    }
    await wrong({ ...yarn, attention_factor: 0 }, /attention_factor is 0/);
    await wrong({ ...yarn, beta_fast: 1, beta_slow: 2 }, /beta_fast is 1: at least beta_slow, 2/);
    await wrong(
      { ...yarn, factor: null, [ORIGINAL]: 2 ** 31 - 1 },
      /factor is null: max_position.* is 1\.\d+e-7: from 0.000001 to/,
    );
    await wrong({ ...yarn, truncate: 'no' }, /truncate is "no": true or false/);
    const theta = key === 'rope_scaling' ? { rope_theta: 1 } : {};
    const inside = key === 'rope_scaling' ? {} : { rope_theta: 1 };
    await wrong({ ...yarn, ...inside }, /rope_theta is 1: more than 1 for "yarn"/, theta);
  });

  test(`what is not computed is refused by key and value: ${key}.${typeKey}`, async () => {
    const lists = { short_factor: [1], long_factor: [2] };
    await refused({ [typeKey]: 'longrope', ...lists }, typeKey, 'longrope');
    for (const type of ['mrope', 'toString', '', 3, ['yarn']])
      await refused({ [typeKey]: type }, typeKey, type);
    await refused({ factor: 4 }, 'factor', 4);
    await refused({ [typeKey]: 'default', factor: 4 }, 'factor', 4);
    await refused({ [typeKey]: 'linear', factor: 2, beta_fast: 3 }, 'beta_fast', 3);
    await refused(
      { [typeKey]: 'linear', factor: 2, partial_rotary_factor: 0.5 },
      'partial_rotary_factor',
      0.5,
    );
    await refused({ [typeKey]: 'yarn', ...TYPES.yarn, finetuned: true }, 'finetuned', true);
    await refused({ full_attention: {} }, 'full_attention', {});
  });

  test(`dynamic is plain up to the original context, and has no more: ${key}.${typeKey}`, () => {
    const dynamic = { [typeKey]: 'dynamic', factor: 2 };
    const plain = { theta: 10000, scaling: null };
    assert.equal(parse(key, dynamic), { ...plain, positions: 256 });
    assert.equal(parse(key, { ...dynamic, [ORIGINAL]: 64 }), { ...plain, positions: 64 });
    assert.equal(parse(key, { ...dynamic, [ORIGINAL]: 1000 }), { ...plain, positions: 256 });
  });
}

test('an object that is none is refused', async () => {
  for (const key of ['rope_scaling', 'rope_parameters'])
    for (const value of ['linear', 4, ['linear'], true])
      await failure(CheckpointError, new RegExp(`${key} is .*: an object`), () =>
        parseRope({ rope_theta: 10000, [key]: value }, undefined, 256, 'f'),
      );
});

test.run();
