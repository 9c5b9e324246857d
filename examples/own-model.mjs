// A language model of one's own: a table of probabilities. Whatever can say how likely each next token is can be sampled from; samplers
// know nothing of GPUs.
import { generate } from 'egps';

/** The interface `LanguageModel`. `next` gives the probabilities of all tokens behind some. */
class TableModel {
  contextLength = 1024;
  cachePositions = 65536; // it caches nothing: no limit is meant
  pageSize = 16;
  rows = 64; // that make one pass
  tile = 1;
  parallel = false;

  constructor(vocabSize, eosTokens, next) {
    this.vocabSize = vocabSize;
    this.eosTokens = new Set(eosTokens);
    this.next = next;
  }

  async prefill(tokens) {
    return new TableSequence(Array.from(tokens));
  }

  /** For each token that is fed a reading: what follows it. */
  async compute(feeds) {
    return feeds.map(({ sequence, position, tokens, sharpening }) =>
      tokens.map((token, i) => {
        sequence.tokens.length = Math.max(sequence.tokens.length, position + i + 1);
        sequence.tokens[position + i] = token;
        const probabilities = this.next(sequence.tokens.slice(0, position + i + 1));
        return { token, summary: summarise(probabilities, sharpening) };
      }),
    );
  }
}

class TableSequence {
  constructor(tokens) {
    this.tokens = tokens;
  }
  get length() {
    return this.tokens.length;
  }
  fork() {
    return new TableSequence([...this.tokens]);
  }
  rollback(length) {
    this.tokens.length = length;
  }
  free() {}
}

/** All tokens that can follow are listed, so that nothing is left for the sums over the others. */
function summarise(probabilities) {
  const most = Math.max(...probabilities);
  const ids = Uint32Array.from([...probabilities.keys()].filter((token) => probabilities[token] > 0));
  const distances = Float64Array.from(ids, (token) => Math.log(probabilities[token] / most));
  return { ids, distances, base: 0, mean: 0, sharp: 0, tempered: 0 };
}

// The example of the README: an answer begins with A (0.6) and goes on in ten ways, or with B (0.4) and goes on in one.
const [START, A, B, ONLY, END] = [0, 1, 2, 13, 14];
const chances = (entries) => Array.from({ length: 15 }, (_, token) => entries[token] ?? 0);
const ways = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [3 + i, 0.1]));
const model = new TableModel(15, [END], (tokens) => {
  const last = tokens[tokens.length - 1];
  if (last === START) return chances({ [A]: 0.6, [B]: 0.4 });
  if (last === A) return chances(ways);
  return chances(last === B ? { [ONLY]: 1 } : { [END]: 1 });
});

const runs = 100;
for (const [name, options] of [
  ['the model as it is', { sampler: 'sample' }],
  ['temperature 1/4', { sampler: 'sample', temperature: 1 / 4 }],
  ['p(x)^4', { sampler: 'egps', alpha: 4 }],
]) {
  let begun = 0;
  for (let i = 0; i < runs; i++) {
    const { tokens } = await generate(model, [START], { ...options, maxNewTokens: 4, seed: 1n, chain: i });
    if (tokens[0] === B) begun++;
  }
  console.log(`${name}: ${((100 * begun) / runs).toFixed(0)} % begin with B`);
}
