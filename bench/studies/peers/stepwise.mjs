/**
 * An engine to measure, of one that takes tokens step by step: `start(prompts, wanted)` and `step(tokens, wanted)` give each
 * row's logits after its last token if they are wanted, `spread(rows)` gives every row the state of the first, `rewind(length)`
 * forgets the tokens from there on.
 */
export const stepwise = ({ device, precision, start, step, spread, rewind }) => {
  let held;
  return {
    device,
    precision,
    async logits(prompts, next) {
      const prompt = await start(prompts, true);
      if (next.length > prompts.length) await spread(next.length);
      return { prompt, step: await step(next, true) };
    },
    prefill: (prompt) => start([prompt], false),
    async hold(prompt, rows) {
      await start([prompt], false);
      if (rows > 1) await spread(rows);
      held = { length: prompt.length, tokens: Array(rows).fill(prompt[0]) };
    },
    async decode(steps) {
      rewind(held.length);
      for (let i = 0; i < steps; i++) await step(held.tokens, false);
    },
  };
};
