import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { gumbel, philox, randomSource, tokenGumbel, uniform } from '../../src/sampling/random.ts';

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
  const key = { seed, chain: 7, step: 70000, candidate: 3 };
  const expected = (purpose: number, candidate: number, position: number, v: number) =>
    uniform(
      philox([7, 70000 * 256 + candidate, position, purpose * 2 ** 28 + (v >> 2)], [0x89abcdef, 0x01234567])[
        v & 3
      ],
    );
  const source = randomSource(seed, 7);
  assert.is(tokenGumbel(key, 41, 1023), gumbel(expected(0, 3, 41, 1023)));
  assert.is(source.cut(70000), expected(1, 0, 0, 0));
  assert.is(source.accept(70000), expected(2, 0, 0, 0));
  assert.is(source.select(70000, 3), gumbel(expected(3, 3, 0, 0)));
});

test.run();
