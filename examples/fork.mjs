// Forks and rollback: endings of one prompt are compared, and what they have in common is computed once.
import { loadModel } from 'egps';
import { abacus } from 'egps/abacus';

const model = await loadModel(abacus);
const { tokenizer } = model;
const sharpening = { alpha: 1, temperature: 1 };

const prompt = tokenizer.encode('Mia has 28 coins. Mia finds 19. How many coins now?\n28 + 19');
const endings = [' = 47', ' = 57', ': 8 + 9 = 17'];

// The keys and values of the prompt. Its last token is left out: it is fed with the ending, since what follows it is wanted.
const sequence = await model.prefill(prompt.slice(0, -1));

/** Tokens to be fed behind a sequence, so that the distribution before each token of the ending is read; the last one is asked about. */
function feed(sequence, ending) {
  const tokens = [...tokenizer.encode(ending)];
  return {
    sequence,
    position: sequence.length,
    tokens: [prompt[prompt.length - 1], ...tokens.slice(0, -1)],
    sharpening,
    ask: { token: tokens[tokens.length - 1] },
  };
}

/** log p of the ending. A summary lists the likeliest tokens by d, their logit less the largest one, and sums e^d of all others. */
function logProbability(readings, ending) {
  const tokens = tokenizer.encode(ending);
  let sum = 0;
  for (const [i, { summary, asked, error }] of readings.entries()) {
    if (error) throw error;
    const { ids, distances, base } = summary;
    const at = ids.indexOf(tokens[i]);
    if (at < 0 && !asked) throw new Error(`token ${tokens[i]} is not among the likeliest`);
    const total = distances.reduce((all, d) => all + Math.exp(d), base);
    sum += (at < 0 ? asked.distance : distances[at]) - Math.log(total);
  }
  return sum;
}

// A fork has the same tokens and shares their pages. Both are fed in one pass over the weights.
const fork = sequence.fork();
const [first, second] = await model.compute([feed(sequence, endings[0]), feed(fork, endings[1])]);
// A rollback forgets tokens at once, so that something else can be written behind the prompt.
sequence.rollback(prompt.length - 1);
const [third] = await model.compute([feed(sequence, endings[2])]);

for (const [i, readings] of [first, second, third].entries())
  console.log(`${JSON.stringify(endings[i])}: log p ${logProbability(readings, endings[i]).toFixed(3)}`);

// Pages go back to the cache once nobody has them.
fork.free();
sequence.free();
model.dispose();
