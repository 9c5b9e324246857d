import * as assert from 'uvu/assert';
import { gumbel, philox, randomSource, uniform } from '../../src/sampling/random.ts';
import { test } from '../support/suite.ts';

test('Philox 4x32-10 gives the known answers of Random123', () => {
  const known: [number[], number[], number[]][] = [
    [
      [0, 0, 0, 0],
      [0, 0],
      [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
    ],
    [Array(4).fill(0xffffffff), Array(2).fill(0xffffffff), [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    ],
  ];
  for (const [counter, key, out] of known) assert.equal([...philox(counter, key)], out);
});

test('uniforms stay inside (0, 1) and Gumbels are finite at both ends', () => {
  assert.is(uniform(0), 2 ** -33);
  assert.is(uniform(0xffffffff), 1 - 2 ** -33);
  assert.ok(Math.abs(gumbel(uniform(0)) - 33 * Math.LN2) < 1e-9);
  assert.ok(Math.abs(gumbel(uniform(0xffffffff)) + Math.log(33 * Math.LN2)) < 1e-9);
});

test('each number has its own address', () => {
  const seed = 0x0123456789abcdefn;
  const block = (purpose: number, candidate: number, position: number) =>
    philox([7, 70000 * 256 + candidate, position, purpose * 2 ** 28], [0x89abcdef, 0x01234567]);
  const expected = (purpose: number, candidate: number) => uniform(block(purpose, candidate, 0)[0]);
  const source = randomSource(seed, 7);
  assert.is(source.cut(70000), expected(1, 0));
  assert.is(source.accept(70000), expected(2, 0));
  assert.is(source.select(70000, 3), gumbel(expected(3, 3)));
  // A token takes one block: the first 53 bits of it are the uniform number, its third word is for the tail.
  const [high, low, tail] = block(0, 3, 41);
  const bits = (BigInt(high) << 21n) | BigInt(low >>> 11);
  assert.equal(source.token(70000, 3, 41), { u: (Number(bits) + 0.5) / 2 ** 53, tail });
});

test('the uniform number of a token is inside (0, 1), and its lower bits vary as well', () => {
  const seen = new Set<number>();
  let most = 0;
  const source = randomSource(1n, 0);
  for (let position = 0; position < 4000; position++) {
    const { u, tail } = source.token(0, 0, position);
    assert.ok(u > 0 && u < 1 && Number.isInteger(tail));
    seen.add(Math.round((u * 2 ** 53) % 2 ** 21));
    most = Math.max(most, u);
  }
  assert.ok(most > 0.999 && seen.size > 3900);
});

test.run();
