// A sampler of one's own: beam search, on the interface that the samplers of egps stand on. A beam is a sequence; where two beams
// go on from one, it is forked.
import { generate, loadModel } from 'egps';
import { abacus } from 'egps/abacus';

/** The likeliest response that a search with `width` beams finds, of at most `most` tokens. */
async function beamSearch(model, prompt, width, most) {
  const sequence = await model.prefill(prompt.slice(0, -1));
  let beams = [{ sequence, tokens: [], next: prompt[prompt.length - 1], logProbability: 0 }];
  const done = [];
  for (let length = 0; length < most && beams.length > 0; length++) {
    // One pass for all beams: each is fed its newest token, and the distribution behind it comes back.
    const sharpening = { alpha: 1, temperature: 1 };
    const feeds = beams.map(({ sequence, next }) => {
      return { sequence, position: sequence.length, tokens: [next], sharpening };
    });
    const readings = await model.compute(feeds);
    const candidates = beams.flatMap((beam, i) => {
      const [{ summary, error }] = readings[i];
      if (error) throw error;
      const total = Math.log(summary.distances.reduce((all, d) => all + Math.exp(d), summary.base));
      return Array.from(summary.ids, (token, k) => {
        return { beam, token, logProbability: beam.logProbability + summary.distances[k] - total };
      });
    });
    const best = candidates.sort((a, b) => b.logProbability - a.logProbability).slice(0, width);
    const heirs = best.map(({ beam, token, logProbability }) => {
      const tokens = [...beam.tokens, token];
      return { sequence: beam.sequence.fork(), tokens, next: token, logProbability };
    });
    for (const { sequence } of beams) sequence.free(); // their heirs have forks of them
    beams = [];
    for (const heir of heirs) (model.eosTokens.has(heir.next) ? done : beams).push(heir);
    // What is finished and likelier than all that goes on will not be passed: log p can only fall.
    const leader = Math.max(...done.map(({ logProbability }) => logProbability));
    if (beams.every(({ logProbability }) => logProbability < leader)) break;
  }
  for (const { sequence } of [...beams, ...done]) sequence.free();
  return [...done, ...beams].sort((a, b) => b.logProbability - a.logProbability)[0];
}

const model = await loadModel(abacus);
const problem = 'Mia has 28 coins. Mia finds 19. Mia gets 7. How many coins now?';
const prompt = model.tokenizer.encode(problem);
const greedy = await generate(model, problem, { sampler: 'greedy', maxNewTokens: 60 });
console.log(
  `greedy      log p ${greedy.logProbability.toFixed(3)}: ${greedy.text.trim().split('\n').at(-1)}`,
);
const found = await beamSearch(model, prompt, 2, 120);
const text = model.tokenizer.decode(found.tokens).trim();
console.log(`beam search log p ${found.logProbability.toFixed(3)}: ${text.split('\n').at(-1)}`);
model.dispose();
