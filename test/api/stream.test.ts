import * as assert from 'uvu/assert';
import { TableModel } from '../../reference/table-model.ts';
import { type Answer, type GenerateOptions, generate, generateMany } from '../../src/api/generate.ts';
import {
  type EventStream,
  type StateEvent,
  type StreamOptions,
  stream,
  type TokenEvent,
} from '../../src/api/stream.ts';
import { OptionError } from '../../src/base/errors.ts';
import type { Tokenizer } from '../../src/checkpoint/tokenizer.ts';
import { resolveOptions, sampleIn } from '../../src/sampling/sample.ts';
import { Forest } from '../../src/tree/forest.ts';
import { failure } from '../support/folder.ts';
import { randomModel, SHAPE } from '../support/models.ts';
import { spelling } from '../support/spelling.ts';
import { test } from '../support/suite.ts';

/** A tokenizer has its text in bytes: Ã and © are those of é. */
const PIECES = ['a', 'b', 'c', 'ab', 'Ã', '©', 'bÃ', '.'];
const EOS = PIECES.length;
let tokenizer: Tokenizer;
test.before(async () => {
  tokenizer = await spelling(PIECES);
});

/** Undecided, as its last token has it; ends rarely. */
function babbler(limits = {}) {
  const table = new TableModel(
    EOS + 1,
    [EOS],
    (tokens) => {
      const last = tokens[tokens.length - 1];
      return Array.from({ length: EOS + 1 }, (_, v) => (v === EOS ? 0.02 : 1 + ((v * 5 + last * 3) % 7)));
    },
    limits,
  );
  return Object.assign(table, { tokenizer });
}

/** Writes these tokens, then EOS. */
function writer(...ids: number[]) {
  const table = new TableModel(EOS + 1, [EOS], (tokens) => {
    const next = ids[tokens.length - 1] ?? EOS;
    return Array.from({ length: EOS + 1 }, (_, v) => (v === next ? 0.9 : 0.1));
  });
  return Object.assign(table, { tokenizer });
}

async function all(events: EventStream) {
  const tokens: TokenEvent[] = [];
  const states: StateEvent[] = [];
  let answer: Answer | undefined;
  for await (const event of events) {
    assert.is(answer, undefined, 'the end comes last');
    if (event.type === 'token') tokens.push(event);
    else if (event.type === 'state') states.push(event);
    else answer = event.answer;
  }
  if (!answer) throw new Error('there was no end');
  return { tokens, states, answer };
}

/** What equal options promise: guesses, which the account and the trace tell of, go by time. */
const promised = ({ account: _, visited, trace, ...rest }: Answer) => {
  const weights = visited.particles.map(({ weight }) => weight);
  return { ...rest, weights, drawnAt: trace.drawnAt, outcomes: trace.steps.map(({ outcome }) => outcome) };
};

test('tokens come once and in order, their texts are the text, the end is what generate gives', async () => {
  for (const options of [
    { sampler: 'greedy', maxNewTokens: 40 },
    ...Array.from({ length: 12 }, (_, i) => ({ sampler: 'sample', seed: BigInt(i), maxNewTokens: 40 })),
    { sampler: 'sample', temperature: 0.7, topK: 3, maxNewTokens: 40 },
  ] as StreamOptions[]) {
    const { tokens, states, answer } = await all(stream(babbler(), [0, 1], { ...options, topLogprobs: 3 }));
    assert.equal(promised(answer), promised(await generate(babbler(), [0, 1], options)));
    assert.is(states.length, 0);
    assert.equal(
      tokens.map(({ token }) => token),
      [...answer.tokens],
    );
    assert.equal(
      tokens.map(({ logProbability }) => logProbability),
      [...answer.logp],
    );
    assert.equal(
      tokens.map(({ entropy }) => entropy),
      [...answer.entropy],
    );
    assert.is(tokens.map(({ text }) => text).join(''), answer.text);
    for (const { text } of tokens.slice(0, -1)) assert.not.match(`${text}`, /\uFFFD$/);
  }
});

test('alternatives have the same bits as where they are drawn, and the greedy token comes first', async () => {
  const model = await randomModel(SHAPE);
  const options = { sampler: 'sample', maxNewTokens: 24, temperature: 1.3 } as const;
  const prompt = [5, 6, 7];
  let met = 0;
  for (const seed of [1n, 2n]) {
    const { tokens } = await all(stream(model, prompt, { ...options, seed, topLogprobs: 20 }));
    for (const [i, { token, logProbability, alternatives, text }] of tokens.entries()) {
      assert.is(text, null);
      assert.is(alternatives.length, 20);
      for (const [k, other] of alternatives.slice(1).entries())
        assert.ok(other.logProbability <= alternatives[k].logProbability);
      const same = alternatives.find((other) => other.token === token);
      if (same) assert.is(same.logProbability, logProbability);
      if (same) met++;
      // Greedily, from the same prefix, the first alternative is what is drawn, in the same bits.
      if (i % 8 !== 0) continue;
      const before = [...prompt, ...tokens.slice(0, i).map((event) => event.token)];
      const [greedy] = (await all(stream(model, before, { sampler: 'greedy', maxNewTokens: 1 }))).tokens;
      assert.equal(
        [greedy.token, greedy.logProbability],
        [alternatives[0].token, alternatives[0].logProbability],
      );
      assert.equal(greedy.alternatives, [alternatives[0]]);
    }
  }
  assert.ok(met > 5, `${met} of the tokens drawn were among the alternatives`);
  model.dispose();
});

test('topLogprobs is a whole number from 0 to 20, and of samplers that tell tokens', async () => {
  for (const topLogprobs of [-1, 21, 1.5, NaN, '3' as unknown as number]) {
    await failure(OptionError, /^topLogprobs is /, () =>
      all(stream(babbler(), [0], { sampler: 'sample', topLogprobs })),
    );
  }
  for (const sampler of ['egps', 'best-of-n', 'smc'] as const) {
    await failure(OptionError, /topLogprobs is 2: the sampler .* does not use it/, () =>
      all(stream(babbler(), [0], { sampler, topLogprobs: 2 })),
    );
  }
});

test('a stop string ends plain samplers at the token that completes it; what is kept is what it was', async () => {
  const stops = [['b'], ['ba', 'cc'], ['é'], ['.', 'abc'], ['aba', 'bab'], ['éé', 'c.'], ['bb', 'never']];
  let [stopped, split] = [0, 0];
  for (let seed = 0n; seed < 28n; seed++) {
    const stop = stops[Number(seed) % stops.length];
    const options: GenerateOptions = { sampler: 'sample', seed, maxNewTokens: 30 };
    const whole = await generate(babbler(), [0, 1], options);
    const { tokens, answer } = await all(stream(babbler(), [0, 1], { ...options, stop }));
    const kept = answer.tokens.length;
    for (const column of ['tokens', 'logp', 'logZ', 'entropy'] as const)
      assert.equal(answer[column], whole[column].slice(0, kept), `${column}, seed ${seed}`);
    const text = (ids: Uint32Array) => tokenizer.decode(ids.filter((id) => id !== EOS));
    const has = (read: string) => stop.some((word) => read.includes(word));
    assert.not(has(text(answer.tokens.subarray(0, kept - 1))), `seed ${seed}`);
    assert.is(answer.finish === 'stop', has(text(answer.tokens)));
    assert.is(answer.stop !== null, answer.finish === 'stop');
    if (answer.finish !== 'stop') assert.is(kept, whole.tokens.length);
    else stopped++;
    if (text(answer.tokens).endsWith('\uFFFD')) split++;
    assert.not(has(answer.text ?? ''));
    assert.ok(text(answer.tokens).startsWith(answer.text ?? '?'));
    assert.is(tokens.map((event) => event.text).join(''), answer.text);
    const [many] = await generateMany(babbler(), [[0, 1]], { ...options, stop });
    assert.equal(promised(many), promised(answer));
    assert.equal(promised(await generate(babbler(), [0, 1], { ...options, stop })), promised(answer));
  }
  assert.ok(stopped > 14, `${stopped} stopped`);
  assert.ok(split > 0, 'none was stopped by a token that begins a character too');
});

test('what may be the beginning of a stop string, and a split character, are held back', async () => {
  const texts = async (stop: string[], ...ids: number[]) => {
    const { tokens, answer } = await all(stream(writer(...ids), [0], { sampler: 'greedy', stop }));
    return [tokens.map(({ text }) => text), answer.finish];
  };
  const [a, b, c, split, rest] = [0, 1, 2, 4, 5];
  assert.equal(await texts(['abc'], a, b, a, b, b, c), [['', '', 'ab', '', 'abb', 'c', ''], 'eos']);
  assert.equal(await texts(['abc'], a, b, a, b, c, a), [['', '', 'ab', '', ''], 'stop']);
  assert.equal(await texts(['aab'], a, a, a, b), [['', '', 'a', ''], 'stop']);
  assert.equal(await texts(['é'], a, split, rest, b), [['a', '', ''], 'stop']);
  assert.equal(await texts([], a, split, rest, b), [['a', '', 'é', 'b', ''], 'eos']);
  assert.equal(await texts(['x'], a, split), [['a', '', '\uFFFD'], 'eos']);
  assert.equal(await texts(['abx'], a, b), [['', '', 'ab'], 'eos']);
});

test('best-of-n ends each of its responses; chains are cut afterwards, their tokens are whole', async () => {
  const stop = ['b'];
  const best = await generate(babbler(), [0], { sampler: 'best-of-n', n: 5, maxNewTokens: 30, stop });
  assert.equal([best.finish, best.stop], ['stop', 'b']);
  for (const { response } of best.visited.states[0]) {
    const text = tokenizer.decode(response.tokens);
    assert.is(response.finish === 'stop', text.includes('b'));
  }
  for (const sampler of ['egps', 'smc', 'metropolis', 'karan-du'] as const) {
    const options = { sampler, maxNewTokens: 12, ...(sampler === 'karan-du' && { steps: 1 }) } as const;
    const whole = await generate(babbler(), [0], options);
    const cut = await generate(babbler(), [0], { ...options, stop });
    assert.equal(cut.tokens, whole.tokens);
    assert.is(cut.finish, whole.finish);
    const [before, after] = (whole.text ?? '').split('b');
    assert.equal([cut.text, cut.stop], [before, after === undefined ? null : 'b']);
  }
});

test('chains tell states; the newest one waits, and the last one has the answers of the end', async () => {
  const extract = /[abc]/;
  for (const options of [
    { sampler: 'egps', particles: 6, finalSteps: 5 },
    { sampler: 'egps', growth: 'blocks', blockSize: 4, finalSteps: 5 },
    { sampler: 'egps', growth: 'blocks', blockSize: 4, finalSteps: 4, decoding: 'eager' },
    { sampler: 'smc', particles: 5 },
    { sampler: 'best-of-n', n: 4 },
    { sampler: 'karan-du', blockSize: 6, steps: 2 },
  ] as StreamOptions[]) {
    const given = { ...options, maxNewTokens: 16, extract };
    const { tokens, states, answer } = await all(stream(babbler(), [0], given));
    assert.is(tokens.length, 0);
    assert.equal(promised(answer), promised(await generate(babbler(), [0], given)));
    assert.ok(states.length > 1);
    for (const { step, steps, block, blocks, account, text, answers = [] } of states) {
      assert.ok(step <= steps && block <= blocks && account.drawnTokens >= 0 && text !== null);
      const sum = answers.reduce((total, { probability }) => total + probability, 0);
      assert.ok(answers.length === 0 || Math.abs(sum - 1) < 1e-9, `probabilities sum to ${sum}`);
    }
    const last = states[states.length - 1];
    assert.equal(last.answers, answer.answers, JSON.stringify(options));
    if (options.sampler === 'smc') continue; // its last state is the weightiest particle
    assert.equal(last.tokens, answer.tokens);
    assert.is(last.logProbability, answer.logProbability);
  }
  const events = stream(babbler(), [0], { sampler: 'egps', maxNewTokens: 16, particles: 4 });
  await events.next();
  await settled();
  const { states } = await all(events);
  assert.is(states.length, 1);
});

/** Long enough for a run on a table to come to its end, or to where it waits. */
const settled = () => new Promise((resolve) => setTimeout(resolve, 150));

test('tokens that nobody asks for make the run wait; none is lost', async () => {
  const model = babbler();
  const options = { sampler: 'sample', seed: 5n, maxNewTokens: 400 } as const;
  const whole = await generate(babbler(), [0], options);
  assert.ok(whole.tokens.length > 200, `${whole.tokens.length}`);
  const events = stream(model, [0], options);
  const first = await events.next();
  await settled();
  const waiting = model.calls.length;
  assert.ok(waiting < 80, `${waiting} tokens were computed`);
  await settled();
  assert.is(model.calls.length, waiting);
  const { tokens } = await all(events);
  assert.is(first.value.token, whole.tokens[0]);
  assert.equal(
    tokens.map(({ token }) => token),
    [...whole.tokens.slice(1)],
  );
  assert.is(model.live, 0);
});

test('tokens that are known already wait as well', async () => {
  const model = babbler();
  const options = resolveOptions({ sampler: 'sample', seed: 5n, maxNewTokens: 60 });
  const forest = new Forest(model, options);
  const tree = await forest.enter([0], options.maxNewTokens); // so that it is kept
  const { tokens } = await sampleIn(forest, [0], options, {});
  const calls = model.calls.length;
  let [told, open] = [0, 0];
  const onToken = async () => {
    assert.is(open++, 0);
    told++;
    await new Promise((resolve) => setImmediate(resolve));
    open--;
  };
  assert.equal((await sampleIn(forest, [0], options, { onToken })).tokens, tokens);
  assert.equal([told, model.calls.length], [tokens.length, calls]);
  forest.leave(tree);
  assert.is(model.live, 0);
});

test('who leaves ends the run, and its pages are given back', async () => {
  for (const options of [
    { sampler: 'sample', maxNewTokens: 1000 },
    { sampler: 'egps', maxNewTokens: 200, finalSteps: 1000 },
  ] as StreamOptions[]) {
    const model = babbler();
    for await (const _ of stream(model, [0], options)) break;
    assert.equal([model.live, model.pages], [0, 0], `${options.sampler}`);
    const done = model.calls.length;

    const events = stream(model, [0], options);
    await events.next();
    const pending = Array.from({ length: 70 }, () => events.next());
    await events.return();
    assert.equal([model.live, model.pages], [0, 0], `${options.sampler}`);
    assert.ok((await Promise.all(pending)).at(-1)?.done);
    assert.ok((await events.next()).done);
    await settled();
    assert.ok(model.calls.length < done + 200, 'the run goes on');
  }
  const unasked = stream(babbler(), [0], { sampler: 'greedy' });
  assert.ok((await unasked.return()).done);
  assert.ok((await unasked.next()).done);
});

test('`await using` ends a stream', async () => {
  const model = babbler();
  {
    await using events = stream(model, [0], { sampler: 'sample', maxNewTokens: 1000 });
    await events.next();
    assert.ok(model.live > 0);
  }
  assert.is(model.live, 0);
});

test('the signal and errors reject the iteration', async () => {
  const reason = new Error('enough');
  const model = babbler();
  const controller = new AbortController();
  const events = stream(model, [0], { sampler: 'sample', maxNewTokens: 1000, signal: controller.signal });
  await events.next();
  await settled(); // the run waits
  controller.abort(reason);
  assert.is(await all(events).catch((error) => error), reason);
  assert.is(model.live, 0);
  assert.ok((await events.next()).done);

  const early = stream(model, [0], { sampler: 'sample', signal: AbortSignal.abort(reason) });
  assert.is(await all(early).catch((error) => error), reason);

  await failure(OptionError, /^the prompt is empty/, () => all(stream(model, [], { sampler: 'sample' })));
  await failure(OptionError, /no option "sed"/, () => all(stream(model, [0], { sed: 1n } as StreamOptions)));

  // What came before an error is told before it.
  const broken = babbler();
  const compute = broken.compute.bind(broken);
  broken.compute = (feeds) =>
    feeds[0].position < 5 ? compute(feeds) : Promise.reject(new Error('out of order'));
  const told: unknown[] = [];
  const error = await (async () => {
    for await (const event of stream(broken, [0], { sampler: 'sample', seed: 5n })) told.push(event);
  })().catch((error) => error);
  assert.is(error.message, 'out of order');
  assert.is(told.length, 5);
});

test.run();
