import * as assert from 'uvu/assert';
import { TableModel } from '../../reference/table-model.ts';
import { score } from '../../src/api/score.ts';
import { OptionError } from '../../src/base/errors.ts';
import type { Feed } from '../../src/engine/language-model.ts';
import { CUT_LAW_NAMES, CUT_LAWS } from '../../src/sampling/cut-laws.ts';
import { karanDu } from '../../src/sampling/karan-du.ts';
import {
  DEFAULTS,
  type Progress,
  resolveOptions,
  type Sample,
  type SamplerName,
  type SamplerOptions,
  type Step,
  sample,
} from '../../src/sampling/sample.ts';
import { test } from '../support/suite.ts';
import { draw, force, PROMPT, scripted } from './forced.ts';
import { name, scriptedChain, toy, toyAt, toyModel, toyTarget } from './toy.ts';

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
/** Do not grow block by block. */
const ONCE: SamplerName[] = ['greedy', 'sample', 'best-of-n', 'smc'];
/** Plain growth of `egps`. */
const BLOCKS = { growth: 'blocks' } as const;
/** Nothing is found again or guessed. */
const BARE = { tree: 'off' } as const;

/** Five tokens, EOS 0; what comes next depends on the last token and on the position. */
const weights = (x: readonly number[], eos: number) =>
  [1, 2, 3, 4, 5].map((w, v) => (v ? w ** ((x.length + x[x.length - 1]) % 4) : eos));
const model = (eos = 1) => new TableModel(5, [0], (x) => weights(x, eos));

const run = (sampler: SamplerName, given: Partial<SamplerOptions> = {}, from = model()) =>
  sample(from, [1, 2], resolveOptions({ sampler, maxNewTokens: 24, ...given }));

async function rejects(promise: Promise<unknown>, type: new (...args: never[]) => Error, pattern: RegExp) {
  const error = await promise.then(
    () => assert.unreachable('did not reject'),
    (reason) => reason,
  );
  assert.instance(error, type);
  assert.match(error.message, pattern);
}

test('every sampler returns columns of the tokens it returns, and leaves no sequence behind', async () => {
  for (const sampler of SAMPLERS) {
    for (const seed of [1n, 2n, 3n]) {
      const toys = model();
      const given = ONCE.includes(sampler) ? {} : { blockSize: 7 };
      const s = await run(sampler, { seed, ...given }, toys);
      assert.is(toys.live, 0, sampler);
      const scored = await score(toys, [1, 2, ...s.tokens], { temperature: 1, alpha: 4 });
      assert.equal(s.logp, scored.logp.slice(1));
      assert.equal(s.entropy, scored.entropy.slice(1));
      assert.equal(s.logZ, scored.logZ.slice(1));
      assert.is(s.finish, s.tokens.at(-1) === 0 ? 'eos' : 'length');
      assert.is(s.logTarget, 4 * s.logProbability);
      assert.is(
        s.logProbability,
        s.logp.reduce((a, b) => a + b, 0),
      );
      assert.equal(
        [...s.block],
        Array.from(s.trace.drawnAt, (step) => s.trace.steps[step].block),
      );
      assert.is(s.trace.drawnAt.length, s.tokens.length);
      assert.ok(s.finish === 'eos' || s.tokens.length === 24);
      assert.equal(s.trace.steps.at(-1)?.account, s.account);
      const weight = (all: readonly { weight: number }[]) => all.reduce((sum, { weight }) => sum + weight, 0);
      const { particles, states } = s.visited;
      for (const each of particles.length > 0 ? [particles, ...states] : states) {
        assert.ok(Math.abs(weight(each) - 1) < 1e-12);
      }
      assert.is(particles.length, sampler === 'egps' || sampler === 'smc' ? DEFAULTS.particles : 0);
    }
  }
});

test('one seed, one answer; another seed or chain, another', async () => {
  const plain = ({ tokens, logp, trace }: Sample) => ({ tokens, logp, outcomes: trace.steps.map(outcomeOf) });
  const outcomeOf = ({ kind, cut, outcome, logp }: Step) => [kind, cut, outcome, logp];
  for (const sampler of SAMPLERS) {
    const a = await run(sampler, { seed: 9n });
    assert.equal(plain(a), plain(await run(sampler, { seed: 9n })));
    if (sampler === 'greedy') continue;
    const answers = [];
    for (let n = 0; n < 4; n++) {
      answers.push(name((await run(sampler, { seed: 9n + (BigInt(n) << 32n), alpha: 1 })).tokens));
      answers.push(name((await run(sampler, { seed: 9n, chain: n, alpha: 1 })).tokens));
    }
    assert.ok(new Set(answers).size > 2, sampler);
  }
});

test('the trace replays to the response, and names the step that drew each token', async () => {
  for (const sampler of SAMPLERS) {
    const given = ONCE.includes(sampler) ? {} : { blockSize: 6 };
    const { tokens, trace, account, logp } = await run(sampler, { seed: 4n, ...given, ...BARE });
    let now: number[] = [];
    let drawnAt: number[] = [];
    for (const [n, step] of trace.steps.entries()) {
      if (step.outcome < 0) continue;
      now = [...now.slice(0, step.cut), ...step.tokens];
      drawnAt = [...drawnAt.slice(0, step.cut), ...Array(step.tokens.length).fill(n)];
      assert.is(now.length, step.lengths[step.outcome]);
    }
    assert.equal(now, [...tokens]);
    assert.equal(drawnAt, [...trace.drawnAt]);
    assert.is(
      trace.steps[trace.steps.length - 1].logp,
      logp.reduce((a, b) => a + b, 0),
    );
    if (sampler === 'smc' || sampler === 'egps') continue; // where the other particles began is not in the trace
    const drawn = trace.steps.map(({ cut, lengths }) => lengths.map((length) => length - cut));
    const total = drawn.flat().reduce((a, b) => a + b, 0);
    const { drawnTokens, computedRows, draftedRows, usedDrafts, sequentialPasses } = account;
    assert.equal([drawnTokens, computedRows, draftedRows, usedDrafts], [total, total, 0, 0], sampler);
    assert.is(
      sequentialPasses,
      drawn.reduce((sum, lengths) => sum + Math.max(0, ...lengths), 0),
    );
    const count = (kind: string) => trace.steps.filter((step) => step.kind === kind).length;
    assert.equal([account.proposed, account.held], [count('propose'), count('hold')]);
  }
});

test('greedy takes the most likely token; sampling honours top-k', async () => {
  const greedy = await run('greedy');
  for (const [t, token] of greedy.tokens.entries()) {
    const w = weights([1, 2, ...greedy.tokens.slice(0, t)], 1);
    assert.is(token, w.indexOf(Math.max(...w)));
  }
  for (const topK of [1, 2]) {
    const { tokens } = await run('sample', { topK, seed: 5n }, model(0));
    for (const [t, token] of tokens.entries()) {
      const w = weights([1, 2, ...tokens.slice(0, t)], 0);
      assert.ok(w[token] >= [...w].sort((a, b) => b - a)[topK - 1]);
    }
  }
  const feeds: Feed[] = [];
  const spy = model();
  const { compute } = spy;
  spy.compute = (given) => {
    feeds.push(...given);
    return compute.call(spy, given);
  };
  await run('sample', { topK: 2, topP: 0.5, temperature: 0.7 }, spy);
  const [{ ahead, sharpening }] = feeds;
  assert.equal([ahead?.topK, ahead?.topP, sharpening.temperature], [2, 0.5, 0.7]);
  feeds.length = 0;
  await run('egps', { alpha: 2 }, spy);
  assert.ok(feeds.every(({ sharpening: { temperature, alpha } }) => temperature === 0.5 && alpha === 2));
});

test('α = 1, τ = 1, uniform cuts and a fixed length: every step is accepted', async () => {
  for (const given of [
    { sampler: 'metropolis' },
    { sampler: 'egps', cutLaw: 'uniform', tries: 4, ...BLOCKS },
  ] as const) {
    const { account } = await run(
      given.sampler,
      { ...given, alpha: 1, steps: 20, finalSteps: 20, blockSize: 8 },
      model(0),
    );
    assert.equal([account.proposed, account.accepted, account.held], [80, 80, 0]);
  }
});

test('the schedule: blocks, then final steps; an EOS ends the growth', async () => {
  const given = { blockSize: 10, steps: 2, finalSteps: 3, cutLaw: 'entropy', tries: 3, ...BLOCKS } as const;
  const long = await run('egps', given, model(0));
  const kinds = long.trace.steps.map(({ kind }) => kind[0]).join('');
  assert.is(kinds, 'gppgppgppppp');
  assert.equal(
    long.trace.steps.filter(({ kind }) => kind === 'grow').map(({ cut, lengths }) => [cut, lengths[0]]),
    [
      [0, 10],
      [10, 20],
      [20, 24],
    ],
  );
  // EOS as likely as 1e9: the first token ends it.
  const short = await run('egps', given, model(1e9));
  assert.equal([...short.tokens], [0]);
  assert.is(short.trace.steps.map(({ kind }) => kind[0]).join(''), 'gppppp');
  const none = await run('egps', { ...given, steps: 0, finalSteps: 0 }, model(0));
  assert.is(none.trace.steps.map(({ kind }) => kind[0]).join(''), 'ggg');
});

test('growth by particles: every 16 tokens, one of them is the first state, then final steps', async () => {
  const given = { finalSteps: 3, particles: 5, alpha: 2, cutLaw: 'entropy' } as const;
  const { trace, visited } = await run('egps', { ...given, maxNewTokens: 40 }, model(0));
  assert.is(trace.steps.map(({ kind }) => kind[0]).join(''), 'gggppp');
  assert.equal(
    trace.steps.slice(0, 3).map(({ cut, lengths }) => [cut, ...lengths]),
    [0, 16, 32].map((cut) => [cut, ...Array(5).fill(Math.min(cut + 16, 40))]),
  );
  assert.is(visited.states.length, 4);
  const first = name(visited.states[0][0].response.tokens);
  assert.ok(visited.particles.some(({ response }) => name(response.tokens) === first));
  // It is what sequential Monte Carlo draws.
  const smc = await run('smc', { particles: 5, alpha: 2, maxNewTokens: 40 }, model(0));
  assert.is(name(smc.tokens), first);
});

test('candidates of a step are continued in one call; metropolis has one', async () => {
  const given = { blockSize: 24, steps: 2, finalSteps: 0, decoding: 'eager', ...BARE } as const;
  const toys = model(0);
  const { trace } = await run('egps', { tries: 5, cutLaw: 'entropy', ...given, ...BLOCKS }, toys);
  const rows = trace.steps.flatMap(({ cut, lengths }) => Array(24 - cut).fill(lengths.length));
  assert.equal(toys.calls, rows);
  const single = model(0);
  await run('metropolis', given, single);
  assert.ok(single.calls.length > 24 && single.calls.every((rows) => rows === 1));
});

test('best of n returns the likeliest of the n that sampling draws', async () => {
  for (const seed of [1n, 2n, 3n]) {
    const best = await run('best-of-n', { n: 6, seed, ...BARE });
    const [{ lengths, outcome }] = best.trace.steps;
    assert.is(lengths.length, 6);
    assert.is(best.account.sequentialPasses, Math.max(...lengths));
    assert.is(
      best.account.computedRows,
      lengths.reduce((a, b) => a + b),
    );
    const one = await run('sample', { seed }); // candidate 0
    assert.ok(one.logProbability <= best.logProbability);
    if (outcome === 0) assert.equal(one.tokens, best.tokens);
  }
  const logp = await Promise.all(
    [1, 4, 32].map(async (n) => {
      const all = Array.from({ length: 30 }, (_, chain) => run('best-of-n', { n, chain }));
      return (await Promise.all(all)).reduce((sum, s) => sum + s.logProbability, 0);
    }),
  );
  assert.ok(logp[0] < logp[1] && logp[1] < logp[2], `${logp}`);
});

test('entropy-cut is the general kernel with one candidate and the jump law', async () => {
  const general = { cutLaw: 'entropy-jump', tries: 1, ...BLOCKS, ...BARE } as const;
  const [a, b] = [
    await run('entropy-cut', { seed: 6n, ...BARE }),
    await run('egps', { seed: 6n, ...general }),
  ];
  assert.equal(a.tokens, b.tokens);
  assert.equal(a.trace, b.trace);
});

test('sequential Monte Carlo comes close to π with many particles, and closer than with few', async () => {
  // 600 runs each over 31 responses at α = 2. With one particle it is q, with 64 nearly π: the total variation of a sample of this
  // size from π itself is 0.04 in the mean.
  const alpha = 2;
  const pi = toyTarget(alpha);
  const toys = toyModel();
  const distance = async (particles: number) => {
    const seen = new Map<string, number>();
    const runs = 600;
    for (let chain = 0; chain < runs; chain++) {
      const given = {
        sampler: 'smc',
        particles,
        maxNewTokens: toy.T,
        alpha,
        chain,
      } as const;
      const { tokens } = await sample(toys, PROMPT, resolveOptions(given));
      seen.set(name(tokens), (seen.get(name(tokens)) ?? 0) + 1 / runs);
    }
    return toy.sequences.reduce((sum, x, i) => sum + Math.abs(pi[i] - (seen.get(x) ?? 0)), 0) / 2;
  };
  const [one, many] = [await distance(1), await distance(64)];
  assert.ok(many < 0.08, `${many} with 64 particles`);
  assert.ok(one > 0.2, `${one} with one`);
});

test('Karan & Du as published: lengths only fall within a block, and the current suffix is cut to the candidate', async () => {
  for (let n = 0; n < 20; n++) {
    const { trace } = await run('karan-du', { seed: BigInt(n), blockSize: 12, steps: 5 });
    let length = 0;
    for (const { kind, cut, lengths, outcome } of trace.steps) {
      if (kind === 'propose') assert.ok(cut < length && lengths[0] <= length);
      if (outcome === 0) length = lengths[0];
    }
  }
  // From 2,1,1,2 cut at 1 to 2,0: both suffixes count one token, drawn from one distribution.
  const toys = toyModel();
  const { chain, end } = await scriptedChain(toys, [2, 1, 1, 2]);
  const options = { maxNewTokens: 4, blockSize: 4, steps: 1 };
  const target = { alpha: toy.alpha, temperature: 1 / toy.alpha };
  force(chain.rollout, toy.V, draw([[2, 0]]));
  await karanDu(chain, target, scripted(0.26, 0.999, []), options);
  assert.equal(chain.trace.steps[1].logRho, [0]);
  assert.is(name(chain.response.tokens), '2,0');
  end();
  // From 2,1,1,2 cut at 2 to 2,1,2,1: full suffixes, and no other factor.
  const { chain: other, end: endOther } = await scriptedChain(toys, [2, 1, 1, 2]);
  force(other.rollout, toy.V, draw([[2, 1, 2, 1]]));
  await karanDu(other, target, scripted(0.5, 0.5, []), options);
  const expected = toyAt([2, 1, 2]).logZ - toyAt([2, 1, 1]).logZ;
  assert.ok(Math.abs(other.trace.steps[1].logRho[0] - expected) < 1e-12);
  endOther();
  assert.is(toys.live, 0);
});

test('progress is told after each step, with the response as it stands', async () => {
  const seen: Progress[] = [];
  const given = { maxNewTokens: 24, blockSize: 8, steps: 2, finalSteps: 1, gate: 0.5, ...BLOCKS };
  const options = resolveOptions(given);
  const { tokens, account } = await sample(model(0), [1], options, { onProgress: (p) => seen.push(p) });
  const last = seen[seen.length - 1];
  assert.equal([last.block, last.blocks, last.step, last.steps], [3, 3, 10, 10]);
  assert.equal(last.tokens, tokens);
  assert.equal(last.account, account);
  assert.ok(seen.every(({ step, steps }, i) => step <= steps && (i === 0 || step >= seen[i - 1].step)));
  assert.ok(
    seen.some(({ step, tokens }) => step === 0 && tokens.length === 5),
    'a growing response is shown',
  );
});

test('an abort rejects with its reason and frees everything', async () => {
  for (const sampler of SAMPLERS) {
    const toys = model(0);
    const abort = new AbortController();
    const reason = new Error('enough');
    const options = resolveOptions({ sampler, maxNewTokens: 24 });
    const onProgress = ({ tokens }: Progress) => tokens.length === 7 && abort.abort(reason);
    const error = await sample(toys, [1], options, { signal: abort.signal, onProgress }).catch((e) => e);
    assert.is(error, reason, sampler);
    assert.is(toys.live, 0);
    assert.is(await sample(toys, [1], options, { signal: abort.signal }).catch((e) => e), reason);
  }
});

test('an error in the model passes through and frees everything', async () => {
  for (const sampler of SAMPLERS) {
    const toys = new TableModel(3, [0], (x) => {
      if (x.length > 9) throw new RangeError('no more');
      return [0, 1, 2];
    });
    await rejects(run(sampler, {}, toys), RangeError, /no more/);
    assert.is(toys.live, 0);
  }
});

test('a bad prompt is refused before anything starts', async () => {
  const options = resolveOptions({ maxNewTokens: 8 });
  const toys = new TableModel(3, [0], () => [1, 1, 1], { contextLength: 10 });
  const refuse = (prompt: number[], pattern: RegExp) =>
    rejects(sample(toys, prompt, options), OptionError, pattern);
  await refuse([], /empty/);
  await refuse([1, 3], /token 1 of the prompt is 3: .*below 3/);
  await refuse([-1], /token 0 .* -1/);
  await refuse([1.5], /1\.5/);
  await refuse([1, 1, 1], /3 tokens of prompt and maxNewTokens 8 make 11: .* 10/);
  assert.is(toys.live, 0);
  assert.equal(toys.calls, []);
  assert.ok(await sample(toys, PROMPT, options));
});

test('defaults', () => {
  const { alpha, maxNewTokens, blockSize, tries, steps, finalSteps, gate, cutLaw } = resolveOptions({});
  assert.equal(
    [alpha, maxNewTokens, blockSize, tries, steps, finalSteps, gate, cutLaw],
    [4, 3072, 192, 4, 3, 8, 'auto', 'entropy-block'],
  );
  assert.is(resolveOptions({ alpha: 2 }).proposalTemperature, 0.5);
  assert.is(resolveOptions({ alpha: 2, proposalTemperature: 1 }).proposalTemperature, 1);
  assert.is(resolveOptions({}, { alpha: 8 }).proposalTemperature, 1 / 8);
  assert.is(resolveOptions({ sampler: 'greedy' }, { gate: 0.3, maxNewTokens: 384 }).maxNewTokens, 384);
  assert.is(resolveOptions({ blockSize: 5, topK: undefined }, { blockSize: 48 }).blockSize, 5);
  assert.is(resolveOptions({ sampler: 'metropolis' }).tries, 1);
});

test('options out of range are refused with their name, value and range', () => {
  const bad: [Record<string, unknown>, RegExp][] = [
    [{ maxNewTokens: 0 }, /maxNewTokens is 0: a whole number from 1 on/],
    [{ maxNewTokens: 2.5 }, /maxNewTokens is 2\.5/],
    [{ alpha: 0.5 }, /alpha is 0\.5: .*from 1/],
    [{ alpha: Infinity }, /alpha is Infinity/],
    [{ alpha: NaN }, /alpha is NaN/],
    [{ proposalTemperature: 0 }, /proposalTemperature is 0: .*above 0/],
    [{ blockSize: 0 }, /blockSize is 0/],
    [{ steps: -1 }, /steps is -1: a whole number from 0 on/],
    [{ finalSteps: '8' }, /finalSteps is "8"/],
    [{ tries: 0 }, /tries is 0: a whole number from 1 to 256/],
    [{ tries: 257 }, /tries is 257/],
    [{ growth: 'smc' }, /growth is "smc": one of particles, blocks/],
    [{ particles: 0 }, /particles is 0: a whole number from 1 to 256/],
    [{ tree: true }, /tree is true: one of on, off/],
    [{ draft: -1 }, /draft is -1: "auto", or a whole number from 0 to 64/],
    [{ draft: 'long' }, /draft is "long": "auto", or /],
    [{ lookAhead: 65 }, /lookAhead is 65: "auto", or a whole number from 0 to 64/],
    [{ treeNodes: 0 }, /treeNodes is 0: a whole number from 1 on/],
    [{ tree: 'off', draft: 8 }, /draft is 8: with tree off there is none/],
    [{ tree: 'off', lookAhead: 'auto' }, /lookAhead is auto: with tree off there is none/],
    [{ growth: 'blocks', particles: 8 }, /particles is 8: growth by blocks does not use it/],
    [{ gate: -0.1 }, /gate is -0\.1: "auto", or a finite number from 0 on/],
    [{ gate: 'high' }, /gate is "high": "auto", or /],
    [{ cutLaw: 'median' }, new RegExp(`cutLaw is "median": one of ${CUT_LAW_NAMES.join(', ')}$`)],
    [{ sampler: 'mcmc' }, /sampler is "mcmc": one of greedy, /],
    [{ seed: 1 }, /seed is 1: a bigint/],
    [{ seed: 1n << 64n }, /seed is 18446744073709551616/],
    [{ seed: -1n }, /seed is -1/],
    [{ chain: 2 ** 32 }, /chain is 4294967296: a whole number from 0 to 2\^32 − 1/],
    [{ sampler: 'sample', temperature: 0 }, /temperature is 0: .*greedy/],
    [{ sampler: 'sample', topK: 0 }, /topK is 0/],
    [{ sampler: 'sample', topP: 0 }, /topP is 0: .*above 0, at most 1/],
    [{ sampler: 'sample', topP: 1.01 }, /topP is 1\.01/],
    [{ tops: 1 }, /no option "tops"/],
    [{ steps: 2e6 }, /make 32000024 steps: below 2\^24/],
  ];
  for (const [given, pattern] of bad) {
    try {
      resolveOptions(given as Partial<SamplerOptions>);
      assert.unreachable(`accepted ${Object.keys(given)}`);
    } catch (error) {
      assert.instance(error, OptionError);
      assert.match((error as Error).message, pattern);
    }
  }
});

test('options that the sampler would ignore are refused where they are given', () => {
  const unused: [SamplerName, Partial<SamplerOptions>][] = [
    ['egps', { topK: 5 }],
    ['egps', { topP: 0.9 }],
    ['egps', { temperature: 0.7 }],
    ['greedy', { temperature: 1 }],
    ['sample', { steps: 3 }],
    ['sample', { proposalTemperature: 0.25 }],
    ['metropolis', { tries: 2 }],
    ['metropolis', { growth: 'particles' }],
    ['entropy-cut', { particles: 8 }],
    ['karan-du', { decoding: 'eager' }],
    ['smc', { n: 8 }],
    ['smc', { blockSize: 16 }],
    ['best-of-n', { lookAhead: 3 }],
    ['metropolis', { cutLaw: 'entropy' }],
    ['karan-du', { finalSteps: 1 }],
    ['karan-du', { gate: 1 }],
    ...CUT_LAW_NAMES.filter((cutLaw) => !CUT_LAWS[cutLaw].uses.includes('gate')).flatMap(
      (cutLaw): typeof unused => [
        ['egps', { cutLaw, gate: 0.5 }],
        ['egps', { cutLaw, gate: 'auto' }],
      ],
    ),
  ];
  for (const [sampler, given] of unused) {
    assert.throws(() => resolveOptions({ sampler, ...given }), /does not use it/);
  }
});

test.run();
