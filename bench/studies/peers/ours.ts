import { buildModel } from '../../../src/api/load-model.ts';
import type { Sequence } from '../../../src/engine/language-model.ts';
import { Distribution } from '../../../src/tree/distribution.ts';
import { runAhead } from '../../ahead.ts';
import { RandomWeights } from '../../random-model.ts';
import type { Engine, EngineOptions } from './engine.ts';

/** This project's engine. It draws where the peers are fed: the tokens do not matter to what a step costs. */
export async function open({ config, seed, rows, capacity }: EngineOptions): Promise<Engine> {
  const weights = new RandomWeights(config, seed);
  const model = await buildModel(config, weights, { cachePositions: (rows + 1) * capacity });
  let held: { length: number; rows: Sequence[] } = { length: 0, rows: [] };

  const release = () => {
    for (const sequence of held.rows) sequence.free();
    held = { length: 0, rows: [] };
  };

  return {
    device: model.adapter.description,
    precision: 'bf16, cache f32',
    async logits(prompts, next) {
      release();
      const rows = next.map((token, r) => [...prompts[prompts.length > 1 ? r : 0], token]);
      const alike = new Map<string, Float32Array>();
      const all: Float32Array[] = [];
      for (const row of rows) {
        const same = alike.get(row.join()) ?? (await model.logits(row));
        alike.set(row.join(), same);
        all.push(same);
      }
      const at = (r: number, position: number) =>
        all[r].slice(position * config.vocabSize, (position + 1) * config.vocabSize);
      const sharpening = { alpha: 4, temperature: 1 };
      const sequences: Sequence[] = [];
      for (const row of rows) sequences.push(await model.prefill(row.slice(0, -1)));
      const feeds = sequences.map((sequence, r) => {
        return { sequence, position: sequence.length, tokens: rows[r].slice(-1), sharpening };
      });
      const out = (await model.compute(feeds)).map(([{ summary }]) => {
        const distribution = new Distribution(summary, sharpening, 0);
        const drawn = distribution.draw(0.5) ?? { token: summary.ids[0], distance: summary.distances[0] };
        return { token: drawn.token, logp: distribution.logp(drawn), entropy: distribution.entropy };
      });
      for (const sequence of sequences) sequence.free();
      return {
        prompt: prompts.map((prompt, r) => at(r, prompt.length - 1)),
        step: rows.map((row, r) => at(r, row.length - 1)),
        drawn: out,
      };
    },
    async prefill(prompt) {
      const sequence = await model.prefill(prompt.slice(0, -1));
      await runAhead(model, [sequence], 1); // the prompt's last token
      sequence.free();
    },
    async hold(prompt, rows) {
      release();
      held.length = prompt.length;
      while (held.rows.length < rows) held.rows.push(await model.prefill(prompt));
    },
    async decode(steps) {
      for (const sequence of held.rows) sequence.rollback(held.length);
      await runAhead(model, held.rows, steps);
    },
  };
}
