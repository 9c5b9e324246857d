import { OptionError } from '../base/errors.ts';
import { didYouMean } from '../base/nearest.ts';
import { COMMON, parse } from './args.ts';
import { COMMANDS, commandHelp, generalHelp } from './commands.ts';
import type { Io } from './io.ts';
import { oneLine } from './terminal.ts';

/**
 * Runs a command line. An error is told in one line on standard error, but for one that follows from `io.signal`.
 * @param ready called when the command line is understood, before the command begins
 * @returns the exit code
 */
export async function run(argv: readonly string[], io: Io, ready?: () => Promise<void>): Promise<number> {
  try {
    await dispatch(argv, io, ready);
    return 0;
  } catch (error) {
    io.redraw.close();
    if (io.signal.aborted) return 1;
    const { message, stack } = error instanceof Error ? error : new Error(String(error));
    io.err(argv.includes('--debug') ? `${stack}\n` : `egps: ${oneLine(message)}\n`);
    return error instanceof OptionError ? 2 : 1;
  }
}

async function dispatch(
  [name, ...rest]: readonly string[],
  io: Io,
  ready?: () => Promise<void>,
): Promise<void> {
  if (name === undefined) throw new OptionError(`no command${commandList()}`);
  if (name === '--help' || name === '-h') return io.out(generalHelp());
  if (!Object.hasOwn(COMMANDS, name)) {
    const nearest = didYouMean(name, Object.keys(COMMANDS)) || commandList();
    throw new OptionError(`unknown command ${JSON.stringify(name)}${nearest}`);
  }
  const command = await COMMANDS[name].load();
  const parsed = parse({ ...command.options, ...COMMON }, rest);
  if (parsed.flags.has('help')) return io.out(commandHelp(name, command));
  await ready?.();
  await command.run(parsed, io);
}

function commandList(): string {
  return `; usage: egps ${Object.keys(COMMANDS).join('|')} [options], egps --help tells more`;
}
