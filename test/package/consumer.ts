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

/** Events, each with what is its own; the end of a model with its block. */
export async function watched(): Promise<string> {
  const model = await egps.loadModel(abacus);
  const messages: egps.Message[] = [{ role: 'user', content: 'How many coins now?' }];
  const events: egps.EventStream = egps.stream(model, messages, { sampler: 'sample', topLogprobs: 5 });
  let text = '';
  for await (const event of events) {
    if (event.type === 'token') text += event.alternatives[0].logProbability.toFixed(2) + event.text;
    if (event.type === 'end') text += event.answer.stop;
    // @ts-expect-error of states
    text += event.step;
  }
  const { alternatives }: egps.Scored = await egps.score(model, messages);
  try {
    await model[Symbol.asyncDispose]();
  } catch (error) {
    if (error instanceof egps.EgpsError && error.code === egps.ERROR_CODES.DeviceLostError) throw error.cause;
    // @ts-expect-error no such code
    if (error instanceof egps.EgpsError && error.code === 'lost') return '';
  }
  model[Symbol.dispose]();
  return text + alternatives[0][0].text;
}

/** A language model of one's own. */
export async function drawn(own: egps.LanguageModel): Promise<Uint32Array> {
  const sample: egps.Sample = await egps.sample(own, [1, 2], egps.resolveOptions({ sampler: 'smc' }));
  return sample.tokens;
}
