import * as assert from 'uvu/assert';
import { type Limits, TableModel } from '../../reference/table-model.ts';
import { OptionError } from '../../src/base/errors.ts';
import { resolveOptions, type SamplerName, sample } from '../../src/sampling/sample.ts';
import { sampleMany } from '../../src/sampling/sample-many.ts';
import { test } from '../support/suite.ts';
import { outcome } from './outcome.ts';

/** Six tokens, EOS 0; what comes next depends on the last two tokens. */
const model = (limits?: Limits) =>
  new TableModel(
    6,
    [0],
    (x) => [0.3, 1, 2, 3, 1, 2].map((w, v) => w ** ((x.at(-1) ?? 0) + (x.at(-2) ?? 0) * v) + v),
    limits,
  );

const SAMPLERS: SamplerName[] = [
  'greedy',
  'sample',
  'best-of-n',
  'metropolis',
  'karan-du',
  'entropy-cut',
  'egps',
  'smc',
];
const PROMPTS = [[1, 2], [3], [1, 2], [1, 2], [4, 5, 1], [3], [2], [1, 2]];

test('many chains at once give what each gives by itself', async () => {
  for (const sampler of SAMPLERS) {
    const options = resolveOptions({ sampler, maxNewTokens: 20, seed: 3n, chain: 5 });
    for (const concurrency of [1, 3, undefined]) {
      const toys = model();
      const together = await sampleMany(toys, PROMPTS, options, { concurrency });
      for (const [i, prompt] of PROMPTS.entries()) {
        const alone = await sample(toys, prompt, { ...options, chain: 5 + i });
        assert.equal(outcome(together[i]), outcome(alone), `${sampler} ${i}`);
      }
      assert.is(toys.live, 0);
    }
  }
});

test('equal prompts are computed once while they are in use, and no more chains run than are asked for', async () => {
  const options = resolveOptions({ sampler: 'egps', maxNewTokens: 20, tries: 3, particles: 4 });
  for (const [concurrency, expected] of [
    [1, 1],
    [3, 3],
    [undefined, PROMPTS.length],
  ] as const) {
    const toys = model();
    const prefilled: string[] = [];
    const { prefill } = toys;
    toys.prefill = (tokens) => {
      prefilled.push(Array.from(tokens).join());
      return prefill.call(toys, tokens);
    };
    let now = 0;
    let most = 0;
    await sampleMany(toys, PROMPTS, options, {
      concurrency,
      onStart: () => {
        most = Math.max(most, ++now);
      },
      onSample: () => {
        now--;
      },
    });
    assert.is(most, expected);
    // All but the last token.
    if (expected === PROMPTS.length) assert.equal(prefilled.sort(), ['', '', '1', '4,5']);
    assert.is(toys.live, 0);
  }
});

test('chains of one prompt share what they compute: sixteen cost less than half of sixteen times what one does', async () => {
  const options = resolveOptions({ sampler: 'egps', maxNewTokens: 20, draft: 0, lookAhead: 0 });
  const rows = async (chains: number) => {
    const toys = model();
    const samples = await sampleMany(toys, Array(chains).fill([1, 2]), options);
    const total = toys.calls.reduce((a, b) => a + b);
    assert.is(
      samples.reduce((sum, { account }) => sum + account.computedRows, 0),
      total,
    );
    return total;
  };
  const [one, many] = [await rows(1), await rows(16)];
  assert.ok(many < 8 * one, `${one} rows for one, ${many} for sixteen`);
});

test('a prompt stays no longer than a chain uses it', async () => {
  const prompts = [[1], [2], [3], [4], [5], [1], [2], [3], [4], [5]];
  const options = resolveOptions({ sampler: 'metropolis', maxNewTokens: 8 });
  const most = async (given: number[][]) => {
    const toys = model();
    let live = 0;
    const onProgress = () => {
      live = Math.max(live, toys.live);
    };
    await sampleMany(toys, given, options, { concurrency: 1, onProgress });
    assert.is(toys.live, 0);
    return live;
  };
  const each = await Promise.all(prompts.map((prompt) => most([prompt])));
  assert.ok((await most(prompts)) <= Math.max(...each) + 4, 'sequences of several prompts');
});

test('where the cache is full keys are computed again, and no chain fails', async () => {
  const options = resolveOptions({ sampler: 'egps', maxNewTokens: 20, tries: 3, particles: 4 });
  const free = await sampleMany(model(), PROMPTS, options);
  const toys = model({ cachePositions: 40 * 4 });
  const cramped = await sampleMany(toys, PROMPTS, options);
  for (const [i, each] of cramped.entries()) assert.equal(outcome(each), outcome(free[i]));
  const total = (all: readonly { account: { computedRows: number } }[]) =>
    all.reduce((sum, { account }) => sum + account.computedRows, 0);
  assert.ok(total(cramped) > total(free), 'nothing was computed twice');
  assert.is(toys.live, 0);
});

test('samples are handed over as they are ready, progress with its index', async () => {
  const options = resolveOptions({ sampler: 'egps', maxNewTokens: 12 });
  const ready: number[] = [];
  const told = new Set<number>();
  const samples = await sampleMany(model(), PROMPTS, options, {
    onSample: (drawn, i) => ready.push(i) && assert.ok(drawn.tokens.length > 0),
    onProgress: (_, i) => told.add(i),
  });
  assert.equal(
    ready.sort((a, b) => a - b),
    [...PROMPTS.keys()],
  );
  assert.is(told.size, PROMPTS.length);
  assert.is(samples.length, PROMPTS.length);
  assert.equal(await sampleMany(model(), [], options), []);
});

test('one failure gives up all, with its reason, and leaves nothing behind', async () => {
  const options = resolveOptions({ sampler: 'egps', maxNewTokens: 20 });
  for (const concurrency of [1, 3, 8]) {
    const toys = model();
    const { compute } = toys;
    let calls = 0;
    toys.compute = async (feeds) => {
      if (++calls === 20) throw new Error('device lost');
      return compute.call(toys, feeds);
    };
    const reason = await sampleMany(toys, PROMPTS, options, { concurrency }).catch(({ message }) => message);
    assert.is(reason, 'device lost');
    assert.is(toys.live, 0);

    const abort = new AbortController();
    let reports = 0;
    const onProgress = () => ++reports === 60 && abort.abort(new Error('enough'));
    const aborted = sampleMany(toys, PROMPTS, options, { concurrency, signal: abort.signal, onProgress });
    assert.is(await aborted.catch(({ message }) => message), 'enough');
    assert.is(toys.live, 0);
  }
});

test('bad input is refused before anything starts', async () => {
  const toys = model();
  const options = resolveOptions({ maxNewTokens: 8 });
  const refused = async (work: Promise<unknown>, pattern: RegExp) => {
    const error = await work.then(
      () => assert.unreachable(),
      (reason) => reason,
    );
    assert.instance(error, OptionError);
    assert.match(error.message, pattern);
  };
  await refused(sampleMany(toys, [[1], []], options), /prompt is empty/);
  await refused(sampleMany(toys, [[1], [6]], options), /token 0 of the prompt is 6/);
  await refused(sampleMany(toys, [[1]], options, { concurrency: 0 }), /concurrency is 0/);
  await refused(sampleMany(toys, [[1], [1]], { ...options, chain: 2 ** 32 - 1 }), /chain is 4294967295/);
  assert.is(toys.calls.length, 0);
});

test.run();
