import { OptionError } from '../base/errors.ts';
import { isLoopback } from '../serve/guard.ts';
import { serve } from '../serve/serve.ts';
import { SERVE_DEFAULTS, type Settings } from '../serve/settings.ts';
import { type Parsed, value, whole } from './args.ts';
import { type Command, MODEL_OPTIONS, openFolder, openModel, version } from './command.ts';
import type { Io } from './io.ts';
import { escaped, oneLine } from './terminal.ts';

export const serveCommand: Command = {
  usage: '[options]',
  notes: `Answers OpenAI's protocol: /v1/models, /v1/completions, /v1/chat/completions; an object egps in a request
chooses another sampler than plain sampling. Also /health, and /metrics for Prometheus. Standard output says
where it listens, standard error has a line for each request. The first Ctrl-C or SIGTERM waits for the
answers under way, the second one ends them. docs/serving.md tells more.
`,
  options: {
    ...MODEL_OPTIONS,
    host: {
      value: 'HOST',
      help: `address to listen at; others than this machine's own are open to the network\n(default: ${SERVE_DEFAULTS.host})`,
    },
    port: { value: 'PORT', help: `port to listen at, 0 for any (default: ${SERVE_DEFAULTS.port})` },
    'api-key': {
      value: 'KEY',
      help: 'ask clients for this key; better given as EGPS_API_KEY in the environment,\nwhere other users do not see it',
    },
    concurrency: {
      value: 'N',
      help: `chains that are computed side by side (default: ${SERVE_DEFAULTS.concurrency})`,
    },
    queue: {
      value: 'N',
      help: `chains that may wait; more are refused by 429 (default: ${SERVE_DEFAULTS.queue})`,
    },
    deadline: {
      value: 'SECONDS',
      help: `an answer that takes longer is given up (default: ${SERVE_DEFAULTS.deadline})`,
    },
    'max-tokens': { value: 'T', help: 'most tokens of an answer (default: what the context holds)' },
    cors: {
      value: 'ORIGIN',
      help: 'let pages of this origin call, * for all (may be given more than once)',
    },
    'log-prompts': { help: 'show prompts in the log' },
  },

  async run(parsed, io) {
    const given = settings(parsed);
    const folder = await openFolder(parsed, io);
    const { tokenizer } = folder;
    if (!tokenizer) throw new OptionError('the model has no tokenizer: clients speak text');
    const model = await openModel(folder, 0, parsed, io);
    try {
      const asked = value(parsed, 'model');
      const serving = await serve(
        {
          model: Object.assign(model, { tokenizer }),
          name: asked === undefined || asked === folder.dir ? folder.title : asked,
          adapter: model.adapter.description,
          version: version(),
        },
        { ...given, maxTokens: given.maxTokens ?? model.contextLength },
        (line) => io.err(`${escaped(oneLine(line))}\n`),
      );
      if (!isLoopback(given.host) && given.apiKey === undefined)
        io.err(`egps: warning: ${given.host} is open to the network, and no API key is asked for\n`);
      io.out(`${serving.url}\n`);
      await aborted(io);
      const { underWay } = serving;
      if (underWay > 0) io.err(`egps: waiting for ${underWay} answers; once more ends them\n`);
      const again = new Promise<void>((resolve) => process.once('SIGTERM', () => resolve()));
      await Promise.race([serving.drain(), again]);
      await serving.close();
    } finally {
      model.dispose();
    }
  },
};

function settings(parsed: Parsed): Omit<Settings, 'maxTokens'> & { readonly maxTokens?: number } {
  const count = (name: string, least: number, fallback: number, most = 2 ** 31 - 1) => {
    const text = value(parsed, name);
    const number = text === undefined ? fallback : whole(`--${name}`, text);
    if (number < least || number > most)
      throw new OptionError(`--${name} is ${number}: a whole number from ${least} to ${most}`);
    return number;
  };
  const apiKey = value(parsed, 'api-key') ?? process.env.EGPS_API_KEY;
  if (apiKey === '') throw new OptionError('the API key is empty');
  const cors = parsed.values.cors ?? [];
  for (const origin of cors) {
    if (origin !== '*' && !/^https?:\/\/[^/\s]+$/.test(origin))
      throw new OptionError(`--cors is ${JSON.stringify(origin)}: an origin as in https://example.org, or *`);
  }
  return {
    host: value(parsed, 'host') ?? SERVE_DEFAULTS.host,
    port: count('port', 0, SERVE_DEFAULTS.port, 65535),
    apiKey,
    concurrency: count('concurrency', 1, SERVE_DEFAULTS.concurrency, 1024),
    queue: count('queue', 0, SERVE_DEFAULTS.queue, 65536),
    deadline: count('deadline', 1, SERVE_DEFAULTS.deadline, 86_400),
    maxTokens: value(parsed, 'max-tokens') === undefined ? undefined : count('max-tokens', 1, 1),
    cors,
    logPrompts: parsed.flags.has('log-prompts'),
  };
}

function aborted({ signal }: Io): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
