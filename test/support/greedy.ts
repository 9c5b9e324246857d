/**
 * usage: greedy MODEL PROMPTS, where PROMPTS is a JSON array of texts. Prints what greedy decoding answers, as JSON: [{ tokens, logp }].
 * It ends by itself once the model is disposed of.
 */
import { generate, loadModel } from '../../src/index.ts';

const [folder, prompts] = process.argv.slice(2);
const model = await loadModel(folder);
const answers: { tokens: number[]; logp: number[] }[] = [];
for (const prompt of JSON.parse(prompts)) {
  const { tokens, logp } = await generate(model, prompt, { sampler: 'greedy', maxNewTokens: 100 });
  answers.push({ tokens: [...tokens], logp: [...logp] });
}
model.dispose();
console.log(JSON.stringify(answers));
