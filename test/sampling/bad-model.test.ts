import * as assert from 'uvu/assert';
import { TableModel } from '../../reference/table-model.ts';
import { score } from '../../src/api/score.ts';
import { DistributionError, NonFiniteError, OptionError } from '../../src/base/errors.ts';
import type { Feed, Reading, Summary } from '../../src/engine/language-model.ts';
import { EMPTY, type Response } from '../../src/sampling/response.ts';
import { DEFAULTS, resolveOptions, type SamplerOptions, sample } from '../../src/sampling/sample.ts';
import { logWeight } from '../../src/sampling/target.ts';
import { test } from '../support/suite.ts';

const PROMPT = [1, 2, 1];
/** Absolute position of the token that is drawn from what is wrong: the fourth of the response. */
const BAD = 6;
const ALPHA = 4;

type Spoil = (right: Reading) => Reading;

/** Four tokens, none of them EOS, nearly the same distribution everywhere; what it reads at the token before BAD is spoiled. */
class Spoiled extends TableModel {
  private readonly spoil: Spoil;
  /** Times that something was spoiled. */
  spoiled = 0;

  constructor(spoil: Spoil) {
    super(
      4,
      [],
      (tokens) => (tokens[tokens.length - 1] === 3 ? [0.1, 0.2, 0.4, 0.3] : [0.4, 0.3, 0.2, 0.1]),
      {
        entries: 2,
      },
    );
    this.spoil = spoil;
  }

  override async compute(feeds: readonly Feed[]): Promise<Reading[][]> {
    const readings = await super.compute(feeds);
    return readings.map((each, i) =>
      each.map((reading, n) => {
        if (feeds[i].position + n !== BAD - 1) return reading;
        this.spoiled++;
        return this.spoil(reading);
      }),
    );
  }
}

const SCHEDULE = { ...DEFAULTS, alpha: ALPHA, proposalTemperature: 1 / ALPHA, maxNewTokens: 8, blockSize: 4 };

/** Every sampler, and every way of decoding candidates; with the tree and without. */
const WAYS: SamplerOptions[] = [
  { ...SCHEDULE, sampler: 'greedy' },
  { ...SCHEDULE, sampler: 'sample' },
  { ...SCHEDULE, sampler: 'sample', tree: 'off' },
  { ...SCHEDULE, sampler: 'best-of-n' },
  { ...SCHEDULE, sampler: 'karan-du' },
  { ...SCHEDULE, sampler: 'smc' },
  { ...SCHEDULE, sampler: 'metropolis', tries: 1, cutLaw: 'uniform', growth: 'blocks' },
  { ...SCHEDULE, sampler: 'entropy-cut', tries: 1, cutLaw: 'entropy-jump', growth: 'blocks' },
  { ...SCHEDULE, sampler: 'egps' },
  ...(['eager', 'lockstep', 'best-first'] as const).map((decoding): SamplerOptions => {
    return { ...SCHEDULE, sampler: 'egps', decoding, growth: 'blocks' };
  }),
];

async function refused(options: SamplerOptions, bad: TableModel): Promise<Error & { position?: number }> {
  const outcome = await sample(bad, PROMPT, options).then(
    () => null,
    (error: Error) => error,
  );
  assert.is(bad.live, 0, 'sequences are left behind');
  assert.instance(outcome, Error, `${options.sampler} took it`);
  return outcome as Error;
}

/** Changes the summary. */
const of =
  (change: (right: Summary) => Partial<Summary>): Spoil =>
  (reading) => ({ ...reading, summary: { ...reading.summary, ...change(reading.summary) } });

const list = (entries: Record<number, number>): Spoil =>
  of(() => ({
    ids: Uint32Array.from(Object.keys(entries), Number),
    distances: Float64Array.from(Object.values(entries)),
  }));

/** Summaries that contradict themselves, and what the message says of them. */
const CONTRADICTIONS: [what: string, spoil: Spoil, message: RegExp][] = [
  ['an empty list', list({}), /no logit is listed/],
  ['no entry at the maximum', list({ 1: -0.5, 2: -1 }), /the largest logit is not listed/],
  ['an entry above the maximum', list({ 1: 0, 2: 0.25 }), /the logit of token 2 is 0\.25 above the largest/],
  ['an entry that is not a number', list({ 1: 0, 2: Number.NaN }), /the logit of token 2 is NaN/],
  [
    'ids that do not ascend',
    of(() => ({ ids: Uint32Array.of(2, 1), distances: Float64Array.of(0, -1) })),
    /the ids listed do not ascend: 2, then 1/,
  ],
  [
    'a token listed twice',
    of(() => ({ ids: Uint32Array.of(2, 2), distances: Float64Array.of(0, 0) })),
    /do not ascend: 2, then 2/,
  ],
  ['fewer logits than ids', of(() => ({ distances: Float64Array.of(0) })), /2 ids are listed with 1 logits/],
  ...(['base', 'sharp', 'tempered'] as const).flatMap((name) =>
    [-0.1, Number.NaN, Infinity, -Infinity].map((value): [string, Spoil, RegExp] => [
      `a ${name} of ${value}`,
      of(() => ({ [name]: value })),
      new RegExp(`the sum ${name} of the logits that are not listed is ${value}`),
    ]),
  ),
  ...[0.1, Number.NaN, Infinity, -Infinity].map((value): [string, Spoil, RegExp] => [
    `a mean of ${value}`,
    of(() => ({ mean: value })),
    new RegExp(`the sum mean of the logits that are not listed is ${value}`),
  ]),
];

for (const options of WAYS) {
  const { sampler, decoding, growth, tree } = options;
  const way = sampler === 'egps' ? `egps, ${growth}, ${decoding}` : `${sampler}, tree ${tree}`;

  test(`${way}: a summary that contradicts itself is refused`, async () => {
    for (const [what, spoil, message] of CONTRADICTIONS) {
      const error = await refused(options, new Spoiled(spoil));
      assert.instance(error, DistributionError, what);
      assert.match(error.message, message, what);
      assert.match(error.message, `at position ${BAD} `);
      assert.is(error.position, BAD, what);
    }
  });

  test(`${way}: what the model says is wrong is thrown`, async () => {
    const reason = new NonFiniteError('layer 3', BAD - 1);
    assert.is(await refused(options, new Spoiled((reading) => ({ ...reading, error: reason }))), reason);
  });
}

test('signs at the ends of their ranges, and rounding there, are not refused', async () => {
  for (const spoil of [
    of(() => ({ base: 0, mean: 0, sharp: 0, tempered: 0 })),
    of(() => ({ base: 0, mean: -0, sharp: -0, tempered: 0 })),
    of(() => ({ distances: Float64Array.of(0, -0) })),
    of(() => ({ base: 0, mean: 0, sharp: 1e-7, tempered: 0 })), // log Z would be above 0 if nothing else were listed
    list({ 1: 0 }),
  ]) {
    for (const options of WAYS) {
      const { logZ, entropy } = await sample(new Spoiled(spoil), PROMPT, options);
      assert.ok(logZ.every((z) => z <= 0) && entropy.every((h) => h >= 0));
    }
  }
});

/** Says three words in an order that does not repeat itself, so that what is guessed from it is often wrong; all behind a wrong one is broken. */
class Minefield extends TableModel {
  /** The token at a position. */
  static readonly rightAt = (position: number) => 1 + ((position * position + (position >> 2)) % 3);
  broken = 0;

  constructor() {
    super(4, [], ({ length }) => [0, 1, 2, 3].map((v) => (v === Minefield.rightAt(length) ? 1 : 1e-9)));
  }

  override async compute(feeds: readonly Feed[]): Promise<Reading[][]> {
    const readings = await super.compute(feeds);
    return readings.map((each, i) =>
      each.map((reading, n) => {
        if (reading.token === Minefield.rightAt(feeds[i].position + n)) return reading;
        this.broken++;
        return list({})(reading);
      }),
    );
  }
}

test('a broken summary of a draft that nobody walks fails nothing', async () => {
  const model = new Minefield();
  const options = resolveOptions({
    sampler: 'best-of-n',
    n: 2,
    temperature: 0.1,
    maxNewTokens: 60,
    draft: 8,
  });
  const { tokens, account } = await sample(model, [0, 1, 2, 3].map(Minefield.rightAt), options);
  assert.equal(
    [...tokens],
    Array.from(tokens, (_, t) => Minefield.rightAt(4 + t)),
  );
  assert.ok(
    model.broken > 2 && account.usedDrafts > 10,
    `${model.broken} broken, ${account.usedDrafts} used`,
  );
  assert.is(model.live, 0);
});

test('scoring refuses what drawing refuses', async () => {
  for (const [what, spoil, message] of CONTRADICTIONS) {
    const scored = score(new Spoiled(spoil), [1, 2, 1, 0, 1, 2, 1, 0], { temperature: 1, alpha: 2 });
    const error = await scored.catch((reason) => reason);
    assert.instance(error, DistributionError, what);
    assert.match(error.message, message);
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
