// usage: deno run greedy.ts MODEL PROMPTS, where PROMPTS is a JSON array of texts.
// Prints what greedy decoding answers, as JSON: [{ tokens, logp }].
import { generate, loadModel } from '../../src/index.ts';

const [folder, prompts] = Deno.args;
const model = await loadModel(folder);
const answers = [];
for (const prompt of JSON.parse(prompts)) {
  const { tokens, logp } = await generate(model, prompt, { sampler: 'greedy', maxNewTokens: 100 });
  answers.push({ tokens: [...tokens], logp: [...logp] });
}
model.dispose();
console.log(JSON.stringify(answers));
