import { readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import * as assert from 'uvu/assert';
import { test } from './support/suite.ts';

/** What each example has to print. */
const PRINTED: Record<string, RegExp[]> = {
  'fork.mjs': [
    /^" = 47": log p -1\.2\d\d$/m,
    /^" = 57": log p -3\.6\d\d$/m,
    /^": 8 \+ 9 = 17": log p -0\.8\d\d$/m,
  ],
  'own-model.mjs': [
    /^the model as it is: (3|4|5)\d % begin with B$/m,
    /^p\(x\)\^4: (9\d|100) % begin with B$/m,
  ],
  'own-sampler.mjs': [
    /^greedy {6}log p -2\.5\d\d: \\boxed\{54\}$/m,
    /^beam search log p -1\.7\d\d: \\boxed\{54\}$/m,
  ],
  'stream.mjs': [/^undecided: " =" or ":"$/m, /^step \d+ of \d+: 54 \d+ %/m],
};

test('every example is run here', () => {
  const there = readdirSync('examples').filter((file) => file.endsWith('.mjs'));
  assert.equal(there.sort(), Object.keys(PRINTED).sort());
});

for (const [file, lines] of Object.entries(PRINTED)) {
  test(`examples/${file} runs from the checkout`, async () => {
    const said: string[] = [];
    const { log } = console;
    console.log = (line: string) => said.push(line);
    try {
      await import(pathToFileURL(resolve('examples', file)).href);
    } finally {
      console.log = log;
    }
    for (const line of lines) assert.match(said.join('\n'), line);
  });
}

test.run();
