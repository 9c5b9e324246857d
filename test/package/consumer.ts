// A program that uses the package's types, and checks that they are no `any`.
import * as egps from 'egps';
import { abacus } from 'egps/abacus';

export async function answers(): Promise<string[]> {
  const model: egps.Model = await egps.loadModel(abacus, { signal: AbortSignal.timeout(1000) });
  const options: egps.GenerateOptions = { sampler: 'egps', seed: 7n, extract: /\d+/ };
  const answer = await egps.generate(model, 'How many coins now?', options);
  const visit: egps.Visit = egps.likeliest(egps.visitsAfter(answer.visited));
  const { particles } = answer.visited;
  const shares: egps.AnswerShare[] = answer.answers ?? [];
  const costs: egps.Costs = answer.account;
  const text: string | null = answer.text;
  const messages: egps.Message[] = [{ role: 'user', content: text ?? '' }];
  const page: string = egps.tracePage({
    prompt: 'How many coins now?',
    sample: answer,
    options: egps.resolveOptions({ alpha: 2 }),
    tokenText: (id) => model.tokenizer?.tokenText(id) ?? '',
    adapter: model.adapter.description,
    wallSeconds: costs.computedRows,
  });
  // @ts-expect-error a number
  const wrong: string = visit.weight + particles[0].weight;
  // @ts-expect-error no such option
  await egps.generate(model, 'How many coins now?', { sed: 7n });
  // @ts-expect-error no device
  await egps.loadModel(abacus, { device: {} });
  // @ts-expect-error a string
  const folder: number = abacus;
  return [
    page,
    wrong,
    String(folder),
    ...shares.map(({ probability }) => probability.toFixed(2)),
    String(messages.length),
  ];
}

/** A language model of one's own. */
export async function drawn(own: egps.LanguageModel): Promise<Uint32Array> {
  const sample: egps.Sample = await egps.sample(own, [1, 2], egps.resolveOptions({ sampler: 'smc' }));
  return sample.tokens;
}
