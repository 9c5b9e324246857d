// A program that uses the package: run as it is, and bundled. Prints what it has come by.
import { generate, loadModel, resolveOptions, tracePage } from 'egps';
import { abacus } from 'egps/abacus';

const prompt = 'Mia has 28 coins. Mia finds 19. Mia gets 7. How many coins now?';

async function main() {
  const given = {
    sampler: 'egps',
    particles: 8,
    finalSteps: 2,
    maxNewTokens: 160,
    seed: 3n,
    draft: 0,
    lookAhead: 0,
  };
  const model = await loadModel(abacus);
  const answer = await generate(model, prompt, { ...given, extract: 'boxed' });
  const page = tracePage({
    prompt,
    sample: answer,
    options: resolveOptions(given, model.defaults),
    tokenText: (id) => model.tokenizer.tokenText(id),
    adapter: model.adapter.description,
    wallSeconds: 1,
    answers: answer.answers,
  });
  model.dispose();
  console.log(JSON.stringify({ tokens: [...answer.tokens], text: answer.text, page }));
}

main();
