import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Continuation, DecodeRow, LanguageModel } from '../../src/engine/language-model.ts';
import { DistributionError, NonFiniteError, OptionError } from '../../src/errors.ts';
import { EMPTY, type Response } from '../../src/sampling/response.ts';
import { DEFAULTS, resolveOptions, type SamplerOptions, sample } from '../../src/sampling/sample.ts';
import { logWeight } from '../../src/sampling/target.ts';
import { TableModel } from '../support/table-model.ts';

const PROMPT = [1, 2, 1];
/** Absolute position of the bad token: the fourth of the response. */
const BAD = 6;
const ALPHA = 4;

/** What is known of one token. */
type Statistics = Record<'logp' | 'logq' | 'logZ' | 'entropy', number>;
type Spoil = (right: Statistics, row: DecodeRow) => Partial<Statistics>;

/** Four tokens, none of them EOS, nearly the same distribution everywhere. */
const model = new TableModel(4, [], (tokens) => {
  return tokens[tokens.length - 1] === 3 ? [0.1, 0.2, 0.4, 0.3] : [0.4, 0.3, 0.2, 0.1];
});

/** The model, whose numbers for the token at BAD are wrong. */
function spoiled(spoil: Spoil): LanguageModel {
  return {
    vocabSize: model.vocabSize,
    contextLength: model.contextLength,
    cachePositions: model.cachePositions,
    eosTokens: model.eosTokens,
    prefill: (tokens) => model.prefill(tokens),
    decode: async (rows, signal, keepGoing) => {
      const starts = rows.map(({ sequence }) => sequence.length);
      const wrong = (parts: readonly Continuation[]) => {
        for (const [i, { logp, logq, logZ, entropy }] of parts.entries()) {
          const t = BAD - starts[i];
          if (t < 0 || t >= logp.length) continue;
          const right = { logp: logp[t], logq: logq[t], logZ: logZ[t], entropy: entropy[t] };
          const bad = { ...right, ...spoil(right, rows[i]) };
          logp[t] = bad.logp;
          logq[t] = bad.logq;
          logZ[t] = bad.logZ;
          entropy[t] = bad.entropy;
        }
        return parts as Continuation[];
      };
      return wrong(await model.decode(rows, signal, keepGoing && ((soFar) => keepGoing(wrong(soFar)))));
    },
    score: (...args) => model.score(...args),
  };
}

const SCHEDULE = { ...DEFAULTS, alpha: ALPHA, proposalTemperature: 1 / ALPHA, maxNewTokens: 8, blockSize: 4 };

/** Every sampler, and every way of decoding candidates. */
const WAYS: SamplerOptions[] = [
  { ...SCHEDULE, sampler: 'greedy' },
  { ...SCHEDULE, sampler: 'sample' },
  { ...SCHEDULE, sampler: 'best-of-n' },
  { ...SCHEDULE, sampler: 'karan-du' },
  { ...SCHEDULE, sampler: 'smc' },
  { ...SCHEDULE, sampler: 'metropolis', tries: 1, cutLaw: 'uniform' },
  { ...SCHEDULE, sampler: 'entropy-cut', tries: 1, cutLaw: 'entropy-jump' },
  ...(['eager', 'lockstep', 'best-first'] as const).map((decoding): SamplerOptions => {
    return { ...SCHEDULE, sampler: 'egps', decoding };
  }),
];

/** Those that draw from p^α / Z, token by token. */
const POWER = WAYS.filter(({ sampler }) => !['greedy', 'sample', 'best-of-n'].includes(sampler));

async function refused(options: SamplerOptions, bad: LanguageModel): Promise<Error & { position?: number }> {
  const outcome = await sample(bad, PROMPT, options).then(
    () => null,
    (error: Error) => error,
  );
  assert.is(model.live, 0, 'sequences are left behind');
  assert.instance(outcome, Error, `${options.sampler} took it`);
  return outcome as Error;
}

/** The statistics of a distribution whose probabilities are all `s` times as large. */
const unnormalised =
  (s: number): Spoil =>
  ({ logp, logZ, entropy }) => {
    const l = Math.log(s);
    return { logp: logp + l, logZ: logZ + ALPHA * l, entropy: s * (entropy - l) };
  };

/** Numbers that no distribution has, and what the message says of them. */
const IMPOSSIBLE: [what: string, spoil: Spoil, message: RegExp][] = [
  ['log p above 0', () => ({ logp: 0.01 }), /log p is 0\.01: at most 0/],
  ['log q above 0', () => ({ logq: 0.01 }), /log q is 0\.01: at most 0/],
  ['log Z above 0', () => ({ logZ: 0.01 }), /log Z is 0\.01: at most 0/],
  ['negative entropy', () => ({ entropy: -0.01 }), /the entropy is -0\.01: at least 0/],
  [
    'a log Z below the entropy',
    () => ({ entropy: 0.1, logp: -3, logZ: -0.4 }),
    /log Z is -0\.4: .* at least -0\.3/,
  ],
  [
    'a log Z below its own token',
    () => ({ entropy: 2, logp: -0.1, logZ: -0.5 }),
    /log Z is -0\.5: .* at least -0\.4/,
  ],
  ['probabilities that sum to 0.9', unnormalised(0.9), /log Z is .* at least/],
  ['0.9, one of them nearly all of it', () => unnormalised(0.9)(certain, row), /log Z is .* at least/],
  ['1.1, one of them nearly all of it', () => unnormalised(1.1)(certain, row), /log p is 0\.09.*: at most 0/],
  [
    'a token outside the support of the proposal',
    () => ({ logq: -Infinity }),
    /outside the support of the proposal: its log q is -Infinity/,
  ],
];
const certain: Statistics = { logp: -1e-6, logq: -1e-6, logZ: -4e-6, entropy: 1e-5 };
const row = {} as DecodeRow;

test('a log q that is not that of p^α is refused by who draws from p^α, and by nobody else', async () => {
  const shifted = () => spoiled(({ logq }) => ({ logq: logq - 0.1 }));
  for (const options of POWER) {
    const error = await refused(options, shifted());
    assert.instance(error, DistributionError, options.sampler);
    assert.match(error.message, /log q is .*: log p .* and log Z .* make it /);
    assert.is(error.position, BAD);
  }
  for (const options of WAYS.filter((way) => !POWER.includes(way))) {
    assert.ok((await sample(shifted(), PROMPT, options)).tokens.length > 0);
  }
});

for (const options of WAYS) {
  const { sampler, decoding } = options;
  const way = sampler === 'egps' ? `egps, ${decoding}` : sampler;

  test(`${way}: numbers of no distribution are refused`, async () => {
    for (const [what, spoil, message] of IMPOSSIBLE) {
      const error = await refused(options, spoiled(spoil));
      assert.instance(error, DistributionError, what);
      assert.match(error.message, message);
      assert.match(error.message, `at position ${BAD} `);
      assert.is(error.position, BAD, what);
    }
  });

  test(`${way}: numbers that are not finite are refused`, async () => {
    for (const name of ['logp', 'logq', 'logZ', 'entropy'] as const) {
      for (const value of [Number.NaN, Infinity, -Infinity]) {
        const error = await refused(
          options,
          spoiled(() => ({ [name]: value })),
        );
        const type = name === 'logq' && value === -Infinity ? DistributionError : NonFiniteError;
        assert.instance(error, type, `${name} ${value}`);
        assert.is(error.position, BAD);
        assert.match(error.message, `position ${BAD}`);
        if (type === NonFiniteError) assert.match(error.message, name);
      }
    }
  });

  test(`${way}: what a softmax makes of logits that are all NaN or all minus infinity is refused`, async () => {
    const logits = [-Infinity, -Infinity];
    const most = Math.max(...logits);
    const logp = logits[0] - most - Math.log(logits.reduce((sum, l) => sum + Math.exp(l - most), 0));
    const error = await refused(
      options,
      spoiled(() => ({ logp, logq: logp, logZ: logp, entropy: logp })),
    );
    assert.instance(error, NonFiniteError);
    assert.is(error.position, BAD);
  });

  test(`${way}: rounding is not refused`, async () => {
    const right = await sample(model, PROMPT, options);
    for (const by of [1e-6, -1e-6]) {
      const drawn = await sample(
        spoiled(({ logp, logq, logZ, entropy }) => {
          return { logp: logp + by, logq: logq + by, logZ: logZ + by, entropy: entropy - by };
        }),
        PROMPT,
        options,
      );
      if (sampler !== 'smc') assert.is(drawn.tokens.length, right.tokens.length);
      // At the ends of their ranges, where the signs must stay what they are.
      const edge = await sample(
        spoiled(() => ({ logp: by, logq: by, logZ: by, entropy: -by })),
        PROMPT,
        options,
      );
      const t = BAD - PROMPT.length;
      assert.ok(edge.logZ[t] === Math.min(0, by) && edge.entropy[t] === Math.max(0, -by));
    }
    assert.is(model.live, 0);
  });
}

test('a bad candidate is refused as a bad growth is', async () => {
  const bad = spoiled((_, { key }) => (key.candidate === 3 ? { logp: 0.5 } : {}));
  for (const options of WAYS.filter(({ sampler }) => sampler === 'egps')) {
    const error = await refused(options, bad);
    assert.instance(error, DistributionError);
    assert.is(error.position, BAD);
  }
});

test('proposal temperatures at which weights could rise need eager decoding', () => {
  const given = { sampler: 'egps', alpha: 4 } as const;
  for (const decoding of ['lockstep', 'best-first'] as const) {
    for (const proposalTemperature of [0.2, 0.249999, 1.000001, 3]) {
      for (const sampler of ['egps', 'metropolis', 'entropy-cut'] as const) {
        assert.throws(
          () => resolveOptions({ ...given, sampler, decoding, proposalTemperature }),
          (error: Error) =>
            error instanceof OptionError &&
            error.message.includes(
              `proposalTemperature is ${proposalTemperature}: from 1 / alpha = 0.25 to 1`,
            ),
        );
      }
    }
    for (const proposalTemperature of [0.25, 0.5, 1]) {
      const options = resolveOptions({ ...given, decoding, proposalTemperature });
      assert.is(options.proposalTemperature, proposalTemperature);
    }
    for (const alpha of [1, 1.7, 3, 7, 49]) {
      assert.is(resolveOptions({ ...given, alpha, decoding }).proposalTemperature, 1 / alpha);
    }
  }
  for (const proposalTemperature of [0.2, 3]) {
    const options = resolveOptions({ ...given, decoding: 'eager', proposalTemperature });
    assert.is(options.proposalTemperature, proposalTemperature);
    // These know no early termination.
    for (const sampler of ['karan-du', 'smc'] as const) {
      assert.is(resolveOptions({ sampler, proposalTemperature }).proposalTemperature, proposalTemperature);
    }
  }
});

test('factors of the weight above 1 are rounding within the range of temperatures, and count outside it', () => {
  const x: Response = {
    ...EMPTY,
    tokens: Uint32Array.of(1, 1, 1),
    logp: Float64Array.of(-9, -0.5, -0.25),
    logq: Float64Array.of(-9, -4, -1 - 1e-7),
    logZ: Float64Array.of(-9, -0.75, -0.5),
  };
  // α log p − log q: 2 and 1e-7 from position 1 on
  assert.is(logWeight({ alpha: 4, temperature: 0.5 }, x, 1), 0);
  assert.is(logWeight({ alpha: 4, temperature: 1 }, x, 1), 0);
  assert.is(logWeight({ alpha: 4, temperature: 0.25 }, x, 1), -1.25);
  for (const temperature of [0.2, 0.2499, 1.0001, 3]) {
    const w = logWeight({ alpha: 4, temperature }, x, 1);
    assert.ok(Math.abs(w - (2 + 1e-7)) < 1e-12, `${w} at τ = ${temperature}`);
  }
});

test.run();
