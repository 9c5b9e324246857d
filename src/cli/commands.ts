import { DEFAULTS } from '../sampling/sample.ts';
import { COMMON, optionHelp } from './args.ts';
import { calibrateCommand } from './calibrate.ts';
import type { Command } from './command.ts';
import { debugCommand } from './debug.ts';
import { demoCommand } from './demo.ts';
import { evalCommand } from './eval.ts';
import { generateCommand } from './generate.ts';
import { infoCommand } from './info.ts';
import { profileCommand } from './profile.ts';
import { scoreCommand } from './score.ts';

export const COMMANDS: Readonly<Record<string, Command>> = {
  generate: generateCommand,
  score: scoreCommand,
  eval: evalCommand,
  calibrate: calibrateCommand,
  info: infoCommand,
  debug: debugCommand,
  profile: profileCommand,
  demo: demoCommand,
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

export function commandHelp(name: string): string {
  const { summary, usage, notes, options } = COMMANDS[name];
  return `Usage: egps ${name} ${usage}

${summary[0].toUpperCase()}${summary.slice(1)}.

${optionHelp({ ...options, ...COMMON })}
${notes}`;
}
