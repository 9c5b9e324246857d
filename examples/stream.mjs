// Watches two answers to one problem come about: token by token, and by power sampling, whose states take back what they have said.
import { loadModel, stream } from 'egps';
import { abacus } from 'egps/abacus';

const problem = 'Mia has 28 coins. Mia finds 19. Mia gets 7. How many coins now?';
const model = await loadModel(abacus);

// greedy and sample tell tokens, each with the likeliest ones in its place.
let sure = 0;
for await (const event of stream(model, problem, {
  sampler: 'greedy',
  topLogprobs: 2,
  stop: ['\n\\boxed'],
})) {
  if (event.type === 'token') {
    const [first, second] = event.alternatives;
    if (first.logProbability - second.logProbability > 2) sure++;
    else console.log(`undecided: ${JSON.stringify(first.text)} or ${JSON.stringify(second.text)}`);
  }
  if (event.type === 'end') console.log(`sure of ${sure} tokens: ${event.answer.text?.trim()}`);
}

// The other samplers tell states. Leaving the loop ends the run and gives its memory back.
let before = '';
const options = { sampler: 'egps', particles: 16, maxNewTokens: 120, seed: 7n, extract: 'boxed' };
for await (const event of stream(model, problem, options)) {
  if (event.type === 'end') console.log(`last state: ${event.answer.picked.tokens.length} tokens`);
  if (event.type !== 'state') continue;
  const shares = event.answers
    .map(({ answer, probability }) => `${answer ?? 'none yet'} ${(100 * probability).toFixed(0)} %`)
    .join(' · ');
  if (shares !== before) console.log(`step ${event.step} of ${event.steps}: ${shares}`);
  before = shares;
  if (event.answers[0]?.answer && event.answers[0].probability > 0.5) break; // that is enough
}

model.dispose();
