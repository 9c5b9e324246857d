import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { type Answer, generate, loadModel, score } from '../src/index.ts';
import { test } from './support/suite.ts';

const DIR = 'models/abacus';

test('greedy answers are those of transformers in float64', async () => {
  const model = await loadModel(DIR);
  for (const golden of JSON.parse(readFileSync('test/fixtures/abacus-greedy.json', 'utf8'))) {
    const answer = await generate(model, golden.prompt, { sampler: 'greedy', maxNewTokens: 384 });
    assert.equal(Array.from(answer.promptTokens), golden.promptTokens);
    assert.equal(Array.from(answer.tokens), golden.tokens);
    assert.is(answer.text, golden.text);
    answer.logp.forEach((logp, i) => {
      assert.ok(
        Math.abs(logp - golden.logp[i]) < 1e-4,
        `log p of token ${i}: ${logp}, not ${golden.logp[i]}`,
      );
    });
  }
  model.dispose();
});

test('one seed gives one answer, whatever else is decoded beside it', async () => {
  const model = await loadModel(DIR);
  const problems: { prompt: string }[] = JSON.parse(readFileSync(`${DIR}/heldout.json`, 'utf8'));
  const options = { sampler: 'egps', seed: 5n, particles: 8, finalSteps: 4 } as const;
  const alone = await generate(model, problems[0].prompt, options);
  const together = await Promise.all(
    problems.slice(0, 3).map(({ prompt }) => generate(model, prompt, options)),
  );
  // How far an abandoned candidate was written, and what was computed, depend on company.
  const essence = ({ tokens, logp, entropy, visited, trace }: Answer) => ({
    tokens,
    logp,
    entropy,
    weights: visited.particles.map(({ weight }) => weight),
    steps: trace.steps.map(({ kind, cut, outcome, tokens, logp }) => ({ kind, cut, outcome, tokens, logp })),
  });
  assert.equal(essence(together[0]), essence(alone));
  for (const other of [{ tree: 'off' }, { draft: 0 }, { draft: 8, lookAhead: 3 }] as const) {
    assert.equal(
      essence(await generate(model, problems[0].prompt, { ...options, ...other })),
      essence(alone),
    );
  }
  const another = await generate(model, problems[0].prompt, { ...options, seed: 6n });
  assert.not.equal(essence(another), essence(alone));
  model.dispose();
});

test('a careful line in the held-out problems costs next to nothing', async () => {
  // What p^α rewards, and the model card promises: text that follows from what precedes it is nearly certain.
  const model = await loadModel(DIR);
  if (!model.tokenizer) throw new Error('no tokenizer');
  const prompt = model.tokenizer.encode(
    'Mia has 47 shells. Mia finds 86. Mia gives away 38. How many shells now?',
  );
  const line =
    '\n47 + 86: 7 + 6 = 13, write 3, carry 1; 4 + 8 + 1 = 13, write 13. So 47 + 86 = 133.\n133 - 38';
  const tokens = model.tokenizer.encode(line);
  const scores = await score(model, [...prompt, ...tokens], { temperature: 1, alpha: 4 });
  const logp = scores.logp.subarray(prompt.length - 1);
  const style = Array.from(tokens).findIndex((id) => model.tokenizer?.tokenText(id) === ':');
  assert.ok(
    Math.abs(Math.exp(logp[style]) - 0.42) < 0.1,
    `careful with probability ${Math.exp(logp[style])}`,
  );
  const rest = Array.from(logp).reduce((sum, l, i) => sum + (i === style ? 0 : l), 0) / (tokens.length - 1);
  assert.ok(rest > -0.004, `${-rest} nats a determined token`);
  model.dispose();
});

test.run();
