import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { OptionError } from '../../src/errors.ts';
import { resolveOptions, type SamplerName, sample } from '../../src/sampling/sample.ts';
import { cachePositions, sampleMany } from '../../src/sampling/sample-many.ts';
import { TableModel } from '../support/table-model.ts';

/** Six tokens, EOS 0; what comes next depends on the last two tokens. */
const model = () =>
  new TableModel(6, [0], (x) =>
    [0.3, 1, 2, 3, 1, 2].map((w, v) => w ** ((x.at(-1) ?? 0) + (x.at(-2) ?? 0) * v) + v),
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
        assert.equal(
          together[i],
          await sample(toys, prompt, { ...options, chain: 5 + i }),
          `${sampler} ${i}`,
        );
      }
      assert.is(toys.live, 0);
    }
  }
});

test('equal prompts are computed once, and no more chains run than fit the cache', async () => {
  const options = resolveOptions({ sampler: 'egps', maxNewTokens: 20, tries: 3 });
  for (const [cachePositionsOfModel, concurrency, expected] of [
    [2 * cachePositions(3, options), undefined, 2],
    [1, undefined, 1],
    [Infinity, 3, 3],
    [Infinity, undefined, PROMPTS.length],
  ] as const) {
    const toys = Object.assign(model(), { cachePositions: cachePositionsOfModel });
    const prefilled: string[] = [];
    const { prefill, decode } = toys;
    toys.prefill = (tokens) => {
      prefilled.push(Array.from(tokens).join());
      return prefill.call(toys, tokens);
    };
    let now = 0;
    let most = 0;
    const running = new Set<number>();
    toys.decode = async (rows, ...rest) => {
      running.add(rows[0].key.chain);
      now = running.size;
      most = Math.max(most, now);
      return decode.call(toys, rows, ...rest);
    };
    await sampleMany(toys, PROMPTS, options, {
      concurrency,
      onSample: (_, i) => running.delete(i),
    });
    assert.is(most, expected);
    if (expected === PROMPTS.length) assert.equal(prefilled.sort(), ['1,2', '2', '3', '4,5,1']);
    assert.is(toys.live, 0);
  }
});

test('a prompt stays no longer than a chain uses it', async () => {
  const toys = model();
  const prompts = [[1], [2], [3], [4], [5], [1], [2], [3], [4], [5]];
  let most = 0;
  const onProgress = () => {
    most = Math.max(most, toys.live);
  };
  await sampleMany(toys, prompts, resolveOptions({ sampler: 'metropolis', maxNewTokens: 8 }), {
    concurrency: 1,
    onProgress,
  });
  assert.ok(most <= 3, `${most} sequences`); // the prompt, the response and a candidate
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
    const { decode } = toys;
    let calls = 0;
    toys.decode = async (...args) => {
      if (++calls === 20) throw new Error('device lost');
      return decode.apply(toys, args);
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
