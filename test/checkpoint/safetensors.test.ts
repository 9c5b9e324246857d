import { truncate } from 'node:fs/promises';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { CheckpointError } from '../../src/base/errors.ts';
import { Checkpoint, parseHeader } from '../../src/checkpoint/safetensors.ts';
import { failure, withFolder } from '../support/folder.ts';
import { encodeSafetensors, type TensorData, withHeader } from '../support/safetensors-bytes.ts';
import { test } from '../support/suite.ts';

const bytes = (n: number, from = 0) => Uint8Array.from({ length: n }, (_, i) => (from + 7 * i) & 255);
const A: TensorData = { name: 'a', dtype: 'F32', shape: [2, 3], data: bytes(24) };
const B: TensorData = { name: 'b', dtype: 'BF16', shape: [5], data: bytes(10, 100) };
const C: TensorData = { name: 'c', dtype: 'F16', shape: [], data: bytes(2, 50) };
const NONE: TensorData = { name: 'none', dtype: 'F32', shape: [0, 1000], data: bytes(0) };

const open = (file: Uint8Array) =>
  withFolder({ 'model.safetensors': file }, async (dir) => (await Checkpoint.open(dir)).close());

/** Refuses a file with this header and this many bytes of data. */
const refuses = (header: string, data: number, message: RegExp) =>
  failure(CheckpointError, message, () => {
    const json = new TextEncoder().encode(header);
    parseHeader('f', json, 8 + json.length + data);
  });
const entry = (dtype: unknown, shape: unknown, offsets: unknown) =>
  JSON.stringify({ dtype, shape, data_offsets: offsets });

test('tensors come back with their dtype, shape and bytes', async () => {
  await withFolder({ 'model.safetensors': encodeSafetensors([NONE, A, B, C]) }, async (dir) => {
    const checkpoint = await Checkpoint.open(dir);
    assert.is(checkpoint.file, join(dir, 'model.safetensors'));
    assert.equal([...checkpoint.tensors.keys()], ['none', 'a', 'b', 'c']);
    for (const { name, dtype, shape, data } of [A, B, C, NONE]) {
      const tensor = checkpoint.tensors.get(name);
      assert.ok(tensor);
      assert.equal([tensor.name, tensor.dtype, tensor.shape], [name, dtype, shape]);
      const read = new Uint8Array(data.length);
      await checkpoint.readInto(tensor, 0, read);
      assert.equal(read, data);
    }
    const part = new Uint8Array(5);
    await checkpoint.readInto(checkpoint.tensors.get('a') as never, 16, part);
    assert.equal(part, A.data.slice(16, 21));
    await checkpoint.close();
  });
});

test('metadata, padding, any order of entries and names of prototype members are harmless', () => {
  const one = (begin: number) => entry('F32', [1], [begin, begin + 4]);
  const header = `{"__proto__":${one(4)},"toString":${one(0)},"__metadata__":{"format":"pt","__proto__":"x"}}  \n`;
  const json = new TextEncoder().encode(header);
  const tensors = parseHeader('f', json, 8 + json.length + 8);
  assert.equal([...tensors.keys()], ['toString', '__proto__']);
  assert.is(tensors.get('__proto__')?.begin, 8 + json.length + 4);
  assert.is(parseHeader('f', new TextEncoder().encode('{}'), 10).size, 0);
  assert.is(parseHeader('f', new TextEncoder().encode('{"__metadata__":null}'), 29).size, 0);
  const empty = new TextEncoder().encode(`{"x":${one(0)},"empty":${entry('F32', [3, 0], [0, 0])}}`);
  assert.equal([...parseHeader('f', empty, 8 + empty.length + 4).keys()], ['empty', 'x']);
});

test('a read outside the tensor is refused, and so is a file that became shorter', async () => {
  await withFolder({ 'model.safetensors': encodeSafetensors([A, B]) }, async (dir) => {
    const checkpoint = await Checkpoint.open(dir);
    const b = checkpoint.tensors.get('b') as never;
    const read = (offset: number, length: number) => () =>
      checkpoint.readInto(b, offset, new Uint8Array(length));
    await failure(CheckpointError, /"b".*bytes 4 to 11 were asked for, the tensor has 10/, read(4, 7));
    await failure(CheckpointError, /bytes -1 to 1/, read(-1, 2));
    await failure(CheckpointError, /bytes 0.5/, read(0.5, 2));
    const other = { ...(b as object), file: 'elsewhere' } as never;
    await failure(CheckpointError, /elsewhere.*not part/, () => checkpoint.readInto(other, 0, bytes(1)));
    const size = encodeSafetensors([A, B]).length;
    await truncate(join(dir, 'model.safetensors'), size - 3);
    const error = await failure(CheckpointError, /ends 3 bytes early/, read(0, 10));
    assert.equal([error.tensor, error.offset], ['b', size - 3]);
    await checkpoint.close();
  });
});

test('a header length that cannot be is refused before anything is read', async () => {
  const whole = encodeSafetensors([A]);
  const withLength = (length: bigint) => {
    const file = whole.slice();
    new DataView(file.buffer, file.byteOffset).setBigUint64(0, length, true);
    return file;
  };
  await failure(CheckpointError, /model.safetensors: 5 bytes are too few/, () => open(whole.slice(0, 5)));
  await failure(CheckpointError, /0 bytes are too few/, () => open(new Uint8Array(0)));
  await failure(CheckpointError, /header of 100000001 bytes: at most 100000000/, () =>
    open(withLength(100_000_001n)),
  );
  await failure(CheckpointError, /header of 18446744073709551615 bytes/, () =>
    open(withLength(2n ** 64n - 1n)),
  );
  const room = whole.length - 8;
  await failure(
    CheckpointError,
    new RegExp(`header of ${room + 1} bytes: the file has ${room} bytes left`),
    () => open(withLength(BigInt(room + 1))),
  );
  await failure(CheckpointError, /does not begin with \{/, () => open(withLength(0n)));
});

test('a truncated or prolonged file is refused', async () => {
  const whole = encodeSafetensors([A, B]);
  await failure(CheckpointError, /"b".*reach past the file's 33 bytes of data/, () =>
    open(whole.slice(0, -1)),
  );
  await failure(CheckpointError, /the tensors end at byte (\d+), the file at byte/, () =>
    open(Buffer.concat([whole, new Uint8Array(1)])),
  );
});

test('overlaps and gaps are refused', async () => {
  const two = (a: number[], b: number[]) => `{"a":${entry('F32', [2], a)},"b":${entry('F32', [2], b)}}`;
  const error = await refuses(two([0, 8], [4, 12]), 12, /"b".*overlaps.*ends at byte/);
  assert.is(error.tensor, 'b');
  await refuses(two([0, 8], [0, 8]), 8, /overlaps/);
  await refuses(two([0, 8], [12, 20]), 20, /"b".*leaves a gap/);
  await refuses(two([4, 12], [12, 20]), 20, /"a".*leaves a gap/);
});

test('entries of the wrong kind are refused', async () => {
  const one = (dtype: unknown, shape: unknown, offsets: unknown) => `{"x":${entry(dtype, shape, offsets)}}`;
  await refuses(one(['F32'], [1], [0, 4]), 4, /"x".*dtype \["F32"\]/);
  await refuses(one({ toString: 0 }, [1], [0, 4]), 4, /dtype \{"toString":0\}/);
  await refuses(one('I64', [1], [0, 12]), 8, /reach past/);
  await refuses(one(undefined, [1], [0, 4]), 4, /dtype undefined/);
  await refuses(one('F32', [-1], [0, 4]), 4, /shape \[-1\]/);
  await refuses(one('F32', [1.5], [0, 6]), 6, /shape \[1.5\]/);
  await refuses(one('F32', '1', [0, 4]), 4, /shape "1"/);
  await refuses(one('F32', [2], [0, 4]), 4, /shape \[2\] in F32 is 8 bytes, data_offsets \[0,4\] are 4/);
  await refuses(one('F32', [2 ** 27, 2 ** 27], [0, 4]), 4, /overflows/);
  await refuses(one('F32', [2 ** 52, 2 ** 52, 0], [0, 0]), 0, /overflows/);
  await refuses(one('F32', [2 ** 53], [0, 4]), 4, /shape/);
  await refuses(one('F32', [1], [2 ** 53, 2 ** 53 + 4]), 4, /data_offsets/);
  await refuses(one('F32', [1], [-4, 0]), 0, /data_offsets/);
  await refuses(one('F32', [1], [4, 0]), 4, /data_offsets/);
  await refuses(one('F32', [1], [0]), 4, /data_offsets/);
  await refuses(one('F32', [1], [0, 4, 8]), 8, /data_offsets/);
  await refuses('{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,9007199254740993]}}', 4, /data_offsets/);
  await refuses('{"x":[]}', 0, /not an object/);
  await refuses('{"x":null}', 0, /not an object/);
  await refuses('{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"__proto__":1}}', 4, /key "__proto__"/);
  await refuses('{"__metadata__":{"a":1}}', 0, /__metadata__/);
  await refuses('{"__metadata__":"a"}', 0, /__metadata__/);
});

test('a header that is not strict JSON is refused', async () => {
  await refuses('[]', 0, /begin with/);
  await refuses(' {}', 0, /begin with/);
  await refuses('\uFEFF{}', 0, /begin with/);
  await refuses('{"a":}', 0, /not valid JSON/);
  await refuses('{}\0', 0, /not valid JSON/);
  await failure(CheckpointError, /not valid UTF-8/, () =>
    open(withHeader(new Uint8Array([0x7b, 0xff, 0x7d]))),
  );
  const a = entry('F32', [1], [0, 4]);
  await refuses(`{"a":${a},"a":${a}}`, 4, /the key "a" stands twice/);
  await refuses(`{"a":${a},"\\u0061" :${a}}`, 4, /the key "a" stands twice/);
  await refuses(
    '{"a":{"dtype":"F32","shape":[1],"shape":[1],"data_offsets":[0,4]}}',
    4,
    /"shape" stands twice/,
  );
  await refuses('{"__metadata__":{"k":"1","k":"2"}}', 0, /"k" stands twice/);
  const json = new TextEncoder().encode('{"__metadata__":{"{\\"k\\\\":"k","k":"\\"k\\":"}}');
  assert.is(parseHeader('f', json, 8 + json.length).size, 0);
});

test('whatever byte of a header is flipped, the file opens or a CheckpointError says why not', () => {
  const file = encodeSafetensors([
    A,
    { ...B, name: 'a longer name, so that some flips do no harm' },
    C,
    NONE,
  ]);
  const length = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
  const header = file.subarray(8, 8 + length);
  let state = 12345;
  const random = (n: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  let refused = 0;
  for (let round = 0; round < 4000; round++) {
    const broken = header.slice();
    broken[random(length)] ^= 1 << random(8);
    if (random(2)) broken[random(length)] ^= 1 << random(8);
    try {
      for (const { begin, end } of parseHeader('f', broken, file.length).values())
        assert.ok(8 + length <= begin && begin <= end && end <= file.length);
    } catch (error) {
      if (!(error instanceof CheckpointError)) throw error;
      refused++;
    }
  }
  assert.ok(refused > 1000 && refused < 3900, `${refused} of 4000 were refused`);
});

const index = (weight_map: unknown) => ({ metadata: { total_size: 36 }, weight_map });
const shards = { 'one.safetensors': encodeSafetensors([A, C]), 'two.safetensors': encodeSafetensors([B]) };
const WEIGHT_MAP = { a: 'one.safetensors', b: 'two.safetensors', c: 'one.safetensors' };

test('shards are read as one checkpoint', async () => {
  const files = { ...shards, 'model.safetensors.index.json': index(WEIGHT_MAP) };
  await withFolder(files, async (dir) => {
    const checkpoint = await Checkpoint.open(dir);
    assert.is(checkpoint.file, join(dir, 'model.safetensors.index.json'));
    assert.equal([...checkpoint.tensors.keys()].sort(), ['a', 'b', 'c']);
    for (const { name, data } of [A, B, C]) {
      const read = new Uint8Array(data.length);
      await checkpoint.readInto(checkpoint.tensors.get(name) as never, 0, read);
      assert.equal(read, data);
    }
    await checkpoint.close();
  });
});

test('an index says which shards there are, whatever it says of a tensor', async () => {
  const { a, b, c } = WEIGHT_MAP;
  const sub = { 'sub/two.safetensors': shards['two.safetensors'] };
  const accepted: [weightMap: object, files?: object][] = [
    [{ a, b }],
    [{ a, b, c: b }],
    [{ a, b, c, 'lm_head.weight': b }],
    [{ a: './one.safetensors', b: './/two.safetensors', c }],
    [{ a: 'x/../one.safetensors', b, c }],
    [{ a, b: 'sub/two.safetensors', c }, sub],
    [{ a, b: './sub/./two.safetensors', c }, sub],
  ];
  for (const [weightMap, files] of accepted) {
    const all = { ...shards, 'model.safetensors.index.json': index(weightMap), ...files };
    await withFolder(all, async (dir) => {
      const checkpoint = await Checkpoint.open(dir);
      assert.equal([...checkpoint.tensors.keys()].sort(), ['a', 'b', 'c'], JSON.stringify(weightMap));
      await checkpoint.close();
    });
  }
});

test('an index that names what is no shard of this folder is refused', async () => {
  const refused = (weightMap: unknown, message: RegExp, files = {}) =>
    withFolder({ ...shards, 'model.safetensors.index.json': index(weightMap), ...files }, async (dir) => {
      await failure(CheckpointError, message, () => Checkpoint.open(dir));
    });
  const { a, b, c } = WEIGHT_MAP;
  await refused({ a, b: 'three.safetensors', c }, /shard three.safetensors is missing/);
  for (const name of [
    '../one.safetensors',
    './../one.safetensors',
    'sub/../../one.safetensors',
    '/one.safetensors',
    '//one.safetensors',
    '..\\one.safetensors',
    'C:x.safetensors',
    'one.safetensors\0.safetensors',
    'one.bin',
    '..',
    '',
    ['one.safetensors'],
    { toString: 0 },
    2,
  ])
    await refused({ a, b: name, c }, /"b".*is not the path of a .safetensors file in this folder/);
  await refused([], /weight_map is not an object/);
  await refused(undefined, /weight_map is not an object/);
  await refused({ a, b, c }, /two.safetensors.*reach past/, {
    'two.safetensors': shards['two.safetensors'].slice(0, -1),
  });
  await refused({ a, b, c }, /"a".*stands in .*one.safetensors too/, {
    'two.safetensors': encodeSafetensors([A, B]),
  });
});

test('tensors of dtypes that are not read here stand apart', async () => {
  const odd = [
    { ...A, name: 'mask', dtype: 'BOOL', shape: [24] },
    { ...A, name: 'scale', dtype: 'F8_E4M3', shape: [4, 6] },
    { ...A, name: 'new', dtype: 'F2', shape: [96] },
  ] as unknown as TensorData[];
  await withFolder({ 'model.safetensors': encodeSafetensors([odd[0], A, odd[1], odd[2]]) }, async (dir) => {
    const checkpoint = await Checkpoint.open(dir);
    assert.equal([...checkpoint.tensors.keys()], ['a']);
    assert.equal([...checkpoint.others.keys()], ['mask', 'scale', 'new']);
    await checkpoint.close();
  });
});

test('a folder without a checkpoint is refused', async () => {
  await withFolder({}, async (dir) => {
    await failure(CheckpointError, /neither model.safetensors nor/, () => Checkpoint.open(dir));
  });
  await withFolder({ 'model.safetensors/x': '' }, async (dir) => {
    await failure(CheckpointError, /is not a file/, () => Checkpoint.open(dir));
  });
});

test.run();
