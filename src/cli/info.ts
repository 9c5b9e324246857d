import { withModelDefaults } from '../api/generate.ts';
import { value } from './args.ts';
import { type Command, MODEL_OPTION, openFolder, openModel } from './command.ts';
import { bytes } from './format.ts';

const PROMPT = 256;

export const infoCommand: Command = {
  usage: '[options]',
  notes: `The memory is that of \`egps generate\` with the defaults of the model and a prompt of ${PROMPT} tokens.
`,
  options: { model: MODEL_OPTION },

  async run(parsed, io) {
    const folder = await openFolder(value(parsed, 'model'));
    const options = withModelDefaults(folder.defaults, {});
    const model = await openModel(folder, PROMPT + options.maxNewTokens, io);
    try {
      const { adapter, config, memory } = model;
      const limits = Object.entries(adapter.limits).sort(([a], [b]) => (a < b ? -1 : 1));
      const { weights, cache, scratch } = memory;
      const lines: [string, string][] = [
        ['adapter', [adapter.description, adapter.vendor, adapter.architecture].filter(Boolean).join(', ')],
        ['subgroups', adapter.subgroups ? 'used' : 'not used'],
        ['features', adapter.features.join(', ') || 'none'],
        ['limits', ''],
        ...limits.map(([name, value]): [string, string] => [`  ${name}`, String(value)]),
        ['model', folder.dir],
        ...Object.entries(config).map(([name, value]): [string, string] => [`  ${name}`, plain(value)]),
        ['tokenizer', model.tokenizer ? `${model.tokenizer.vocabSize} tokens` : 'none: token ids only'],
        ['egps.json', ''],
        ...Object.entries(folder.defaults).map(([name, value]): [string, string] => [
          `  ${name}`,
          plain(value),
        ]),
        ['memory', bytes(weights + cache + scratch)],
        ['  weights', bytes(weights)],
        ['  cache', `${bytes(cache)} for ${model.cachePositions} positions`],
        ['  scratch', bytes(scratch)],
      ];
      const width = Math.max(...lines.map(([name]) => name.length));
      io.out(
        lines
          .map(([name, value]) => `${name.padEnd(width)}  ${value}`.trimEnd())
          .join('\n')
          .concat('\n'),
      );
    } finally {
      model.dispose();
    }
  },
};

function plain(value: unknown): string {
  if (value instanceof Set) return [...value].join(', ');
  if (Array.isArray(value)) return value.join(', ');
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value);
}
