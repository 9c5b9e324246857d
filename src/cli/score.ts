import { withModelDefaults } from '../api/generate.ts';
import type { Model } from '../api/load-model.ts';
import { encodePrompt } from '../api/prompt.ts';
import { score } from '../api/score.ts';
import { OptionError } from '../base/errors.ts';
import type { LanguageModel } from '../engine/language-model.ts';
import { logProbability } from '../sampling/response.ts';
import { DEFAULTS } from '../sampling/sample.ts';
import { number, tokenIds, value } from './args.ts';
import { type Command, MODEL_OPTIONS, openFolder, openModel, readText } from './command.ts';
import { json, table } from './format.ts';

interface ScoredToken {
  id: number;
  /** null without a tokenizer. */
  text: string | null;
  /** log p given what precedes, then entropy and log Z_α of the distribution it was scored under, all in nats. */
  logp: number | null;
  entropy: number | null;
  logZ: number | null;
}

export const scoreCommand: Command = {
  usage: '[options] [TEXT]',
  notes: `Prints for every token its id, its text, log p given what precedes it, and of the distribution it was scored
under the entropy and log Z (the log of the sum of p^A). Nothing precedes the first token: it has no numbers.
Without TEXT the text is read from standard input, less its last line feed. A model's own egps.json overrides
the default of --alpha.
`,
  options: {
    ...MODEL_OPTIONS,
    alpha: { value: 'A', help: `power of log Z, at least 1 (default: ${DEFAULTS.alpha})` },
    tokens: { value: 'IDS', help: 'token ids, as in 1,2,3, instead of a text' },
    json: { help: 'print {"tokens": [{"id", "text", "logp", "entropy", "logZ"}, …]}' },
  },

  async run(parsed, io) {
    const power = value(parsed, 'alpha');
    const list = value(parsed, 'tokens');
    const given = {
      sampler: 'egps',
      alpha: power === undefined ? undefined : number('--alpha', power),
    } as const;
    if (list !== undefined && parsed.words.length > 0) {
      throw new OptionError('--tokens and TEXT exclude each other');
    }
    const typed = list === undefined ? undefined : tokenIds('--tokens', list);
    const folder = await openFolder(parsed, io);
    const { alpha } = withModelDefaults(folder.defaults, given);
    const ids = encodePrompt(folder.tokenizer, typed ?? (await readText(parsed.words, 'text', io)));
    const model = await openModel(folder, ids.length, parsed, io);
    try {
      const tokens = await scoreTokens(model, ids, alpha);
      if (parsed.flags.has('json')) io.out(`${json({ tokens })}\n`);
      else io.out(`${scoreTable(tokens)}\n`);
    } finally {
      model.dispose();
    }
  },
};

/** Scores every token but the first under what precedes it. */
export async function scoreTokens(
  model: LanguageModel & Pick<Model, 'tokenizer'>,
  ids: Uint32Array,
  alpha: number,
): Promise<ScoredToken[]> {
  const scored = await score(model, ids, { temperature: 1, alpha });
  return Array.from(ids, (id, i) => ({
    id,
    text: model.tokenizer?.tokenText(id) ?? null,
    logp: i === 0 ? null : scored.logp[i - 1],
    entropy: i === 0 ? null : scored.entropy[i - 1],
    logZ: i === 0 ? null : scored.logZ[i - 1],
  }));
}

export function scoreTable(tokens: readonly ScoredToken[]): string {
  const cell = (value: number | null) => (value === null ? '' : value.toFixed(4));
  const rows = tokens.map(({ id, text, logp, entropy, logZ }) => [
    String(id),
    cell(logp),
    cell(entropy),
    cell(logZ),
    text === null ? '' : JSON.stringify(text),
  ]);
  const total = logProbability({ logp: Float64Array.from(tokens, ({ logp }) => logp ?? 0) });
  const body = table([['id', 'log p', 'entropy', 'log Z', 'text'], ...rows], [true, true, true, true, false]);
  return `${body}\nlog p of all: ${total.toFixed(4)}`;
}
