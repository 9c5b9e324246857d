import { DEFAULTS } from '../sampling/options.ts';
import { COMMON, optionHelp } from './args.ts';
import type { Command } from './command.ts';

/** Commands are loaded when they run: of what they import, others have no need. */
interface Listed {
  /** One line for the list of commands. */
  readonly summary: string;
  load(): Promise<Command>;
}

export const COMMANDS: Readonly<Record<string, Listed>> = {
  generate: {
    summary: 'answer a prompt',
    load: async () => (await import('./generate.ts')).generateCommand,
  },
  score: {
    summary: 'tell how likely a text is, token by token',
    load: async () => (await import('./score.ts')).scoreCommand,
  },
  eval: {
    summary: 'measure samplers on a benchmark, or merge the parts of a measurement',
    load: async () => (await import('./eval.ts')).evalCommand,
  },
  serve: {
    summary: "answer clients of OpenAI's protocol over HTTP",
    load: async () => (await import('./serve.ts')).serveCommand,
  },
  calibrate: {
    summary: 'fit the gate and the block size to a model',
    load: async () => (await import('./calibrate.ts')).calibrateCommand,
  },
  info: {
    summary: 'show the adapter, the model and the memory it takes',
    load: async () => (await import('./info.ts')).infoCommand,
  },
  debug: {
    summary: 'show the activations around a layer of the model',
    load: async () => (await import('./debug.ts')).debugCommand,
  },
  profile: {
    summary: "time the model's kernels by the GPU's own clock",
    load: async () => (await import('./profile.ts')).profileCommand,
  },
  demo: {
    summary: 'ten problems that the model was not trained on, plainly and by egps; or one of yours',
    load: async () => (await import('./demo.ts')).demoCommand,
  },
};

export function generalHelp(): string {
  const width = Math.max(...Object.keys(COMMANDS).map((name) => name.length)) + 2;
  const list = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(width)}${summary}\n`);
  const { sampler, alpha, maxNewTokens, blockSize, tries, steps, finalSteps } = DEFAULTS;
  return `Usage: egps COMMAND [options]

Makes a base language model reason better without training: samples from the power p^alpha of its distribution.

${list.join('')}
${optionHelp(COMMON)}
Defaults: --sampler ${sampler} --alpha ${alpha} --max-new-tokens ${maxNewTokens} --block-size ${blockSize} --tries ${tries} --steps ${steps}
--final-steps ${finalSteps}. A model's own egps.json overrides them. \`egps COMMAND --help\` tells the options of a command.
Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
`;
}

export function commandHelp(name: string, { usage, notes, options }: Command): string {
  const { summary } = COMMANDS[name];
  return `Usage: egps ${name} ${usage}

${summary[0].toUpperCase()}${summary.slice(1)}.

${optionHelp({ ...options, ...COMMON })}
${notes}`;
}
