import * as assert from 'uvu/assert';
import { shaders } from '../../src/gpu/shaders.ts';
import {
  ASK,
  HEADER,
  LIST,
  packRows,
  RESULT_BYTES,
  ROW,
  ROW_BYTES,
  SLICE,
  SLICE_BYTES,
  unpackResult,
} from '../../src/model/rows.ts';
import { test } from '../support/suite.ts';

/** Names and types of a struct's members, those of nested structs in its place. */
function members(name: string, source: string): [string, string][] {
  const body = new RegExp(`struct ${name} \\{([^}]*)\\}`).exec(source)?.[1];
  if (body === undefined) throw new Error(`there is no struct ${name}`);
  const all = body.replace(/\/\/.*$/gm, '').matchAll(/(\w+): (array<[^>]*>|\w+)/g);
  return Array.from(all, ([, member, type]): [string, string] => [member, type]).flatMap(([member, type]) =>
    type === 'Sums' ? members('Sums', shaders.summary) : [[member, type]],
  );
}

test('rows are written as row.wgsl reads them', () => {
  const expected = members('Row', shaders.row);
  assert.equal(
    expected.map(([name]) => name),
    [...ROW],
  );
  assert.is(ROW_BYTES, 4 * expected.length);
  const key = { seed: 0x1122334455667788n, chain: 9, step: 5, candidate: 7 };
  const row = {
    token: 1,
    position: 2,
    table: 3,
    valid: 4,
    limit: 5,
    word: 6,
    slot: 10,
    stride: 11,
    spans: 12,
  };
  const packed = packRows(
    [{ ...row, teamSpans: 13, ask: 'tail', key, temperature: 0.25, alpha: 3, topK: 8, topP: 0.5 }],
    4,
  );
  assert.is(packed.byteLength, 4 * ROW_BYTES);
  const data = new DataView(packed);
  const found = Object.fromEntries(
    expected.map(([name, type], i) => [
      name,
      type === 'f32' ? data.getFloat32(4 * i, true) : data.getUint32(4 * i, true),
    ]),
  );
  assert.equal(found, {
    token: 1,
    position: 2,
    table: 3,
    valid: 4,
    limit: 5,
    ask: 2,
    word: 6,
    seed_low: 0x55667788,
    seed_high: 0x11223344,
    chain: 9,
    step_candidate: 5 * 256 + 7,
    inverse_temperature: 4,
    alpha: 3,
    top_k: 8,
    top_p: 0.5,
    slot: 10,
    stride: 11,
    one: 1,
    spans: 12,
    team_spans: 13,
  });
  // The rows that fill a workgroup up are inert.
  assert.ok(new Uint8Array(packed, ROW_BYTES).every((byte) => byte === 0));
});

test('the asks are the constants of row.wgsl', () => {
  const constants = Object.fromEntries(
    Array.from(shaders.row.matchAll(/const (\w+) = (\d+)u;/g), ([, name, value]) => [
      name.toLowerCase(),
      Number(value),
    ]),
  );
  assert.equal({ ...ASK }, constants);
});

test('results are read as draw.wgsl writes them', () => {
  const expected = members('Result', shaders.draw);
  assert.equal(
    expected.map(([name]) => name),
    [...HEADER, 'entries'],
  );
  assert.equal(members('Entry', shaders.summary), [
    ['id', 'u32'],
    ['value', 'f32'],
  ]);
  assert.equal(
    members('Slice', shaders.summary).map(([name]) => name),
    [...SLICE, 'entries'],
  );
  assert.is(SLICE_BYTES, 4 * SLICE.length + 8 * LIST);
  assert.match(shaders.summary, new RegExp(`const LIST = ${LIST}u;`));
  const data = new DataView(new ArrayBuffer(2 * RESULT_BYTES));
  const values = [7, -1.5, 1, 2, 0.5, -0.25, 0.125, 0.0625, 3, 0, 9, -2];
  const types = [...expected.slice(0, -1).map(([, type]) => type), 'u32', 'f32', 'u32', 'f32'];
  for (const [i, type] of types.entries()) {
    const at = RESULT_BYTES + 4 * i;
    if (type === 'f32') data.setFloat32(at, values[i], true);
    else data.setUint32(at, values[i], true);
  }
  assert.equal(unpackResult(data, 1), {
    token: 7,
    distance: -1.5,
    bad: true,
    summary: {
      ids: Uint32Array.of(3, 9),
      distances: Float32Array.of(0, -2),
      base: 0.5,
      mean: -0.25,
      sharp: 0.125,
      tempered: 0.0625,
    },
  });
});

test.run();
