import * as assert from 'uvu/assert';
import { TableModel } from '../../reference/table-model.ts';
import { resolveOptions, type SamplerOptions, sample, sampleIn } from '../../src/sampling/sample.ts';
import { Forest } from '../../src/tree/forest.ts';
import { outcome } from '../sampling/outcome.ts';
import { test } from '../support/suite.ts';

const table = [0.1, 0.4, 0.2, 0.1, 0.1, 0.05, 0.05];
const language = (cachePositions: number) =>
  new TableModel(7, [0], (tokens) => table.map((_, v) => table[(v + tokens.length) % 7]), {
    entries: 3,
    pageSize: 4,
    cachePositions,
  });
const PROMPT = [1, 2, 3, 4];
const optionsOf = (more: Partial<SamplerOptions>) =>
  resolveOptions({ sampler: 'sample', maxNewTokens: 6, seed: 3n, ...more });

test('who gives up takes nobody along who waits for the same tree', async () => {
  const model = language(PROMPT.length + 6 + 2 * 4);
  const forest = new Forest(model, optionsOf({}));
  const given = new AbortController();
  const before = sampleIn(forest, [5, 6], optionsOf({}), {}); // takes all the room
  const first = sampleIn(forest, PROMPT, optionsOf({}), { signal: given.signal });
  const others = [1, 2].map((chain) => sampleIn(forest, PROMPT, optionsOf({ chain }), {}));
  await null;
  given.abort(new Error('given up'));
  assert.is((await first.catch((reason) => reason)).message, 'given up');
  await before;
  for (const [i, drawn] of (await Promise.all(others)).entries())
    assert.equal(
      outcome(drawn),
      outcome(await sample(language(Infinity), PROMPT, optionsOf({ chain: i + 1 }))),
    );
  assert.equal([model.live, model.pages], [0, 0]);
});

test('a tree that is never left takes no more after a thousand, and what is asked of it is forgotten with it', async () => {
  const model = language(Infinity);
  const forest = new Forest(model, optionsOf({}));
  const trees = new Set<unknown>();
  let last = await forest.enter(PROMPT, 6);
  for (let i = 0; i < 3000; i++) {
    const next = await forest.enter(PROMPT, 6);
    trees.add(next);
    forest.leave(last);
    last = next;
  }
  assert.is(trees.size, 3);
  assert.is([...forest.trees].length, 1);
  forest.leave(last);
  assert.equal([[...forest.trees].length, model.live, model.pages], [0, 0, 0]);
});

test('laws are known apart, in a tree of their own each', async () => {
  const model = language(Infinity);
  const forest = new Forest(model, optionsOf({}));
  const temperatures = [0.3, 0.5, 1, 2];
  const drawn = await Promise.all(
    temperatures.map((temperature) => sampleIn(forest, PROMPT, optionsOf({ temperature }), {})),
  );
  for (const [i, temperature] of temperatures.entries())
    assert.equal(
      outcome(drawn[i]),
      outcome(await sample(language(Infinity), PROMPT, optionsOf({ temperature }))),
    );
});

test.run();
