#!/usr/bin/env node
import { OptionError } from '../base/errors.ts';
import { didYouMean } from '../base/nearest.ts';
import { COMMON, parse } from './args.ts';
import type { Io } from './command.ts';
import { COMMANDS, commandHelp, generalHelp } from './commands.ts';
import { oneLine, Redraw, writers } from './terminal.ts';

const interrupt = new AbortController();
const redraw = new Redraw(process.stderr, process.env);
const io: Io = {
  signal: interrupt.signal,
  redraw,
  ...writers(process.stdout, process.stderr),
};

// A reader that went away (`egps … | head -1`) is no error.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    redraw.close();
    process.exit();
  });
}

let interrupted = 0;
function stop(code: number): void {
  interrupted ||= code;
  redraw.close();
  interrupt.abort();
}
// The second interrupt finds no handler and ends the process at once, so the terminal is put in order at the first.
process.once('SIGINT', () => stop(130));
// A scheduler whose time is up may send its signal twice, to the task and through its launcher, and sends SIGKILL if it means that.
process.on('SIGTERM', () => stop(143));

const argv = process.argv.slice(2);
try {
  await dispatch(argv);
} catch (error) {
  redraw.close();
  process.exitCode = report(error);
}

async function dispatch([name, ...rest]: string[]): Promise<void> {
  if (name === undefined) throw new OptionError(`no command${commandList()}`);
  if (name === '--help' || name === '-h') return io.out(generalHelp());
  if (!Object.hasOwn(COMMANDS, name)) {
    const nearest = didYouMean(name, Object.keys(COMMANDS)) || commandList();
    throw new OptionError(`unknown command ${JSON.stringify(name)}${nearest}`);
  }
  const command = await COMMANDS[name].load();
  const parsed = parse({ ...command.options, ...COMMON }, rest);
  if (parsed.flags.has('help')) return io.out(commandHelp(name, command));
  await command.run(parsed, io);
}

function commandList(): string {
  return `; usage: egps ${Object.keys(COMMANDS).join('|')} [options], egps --help tells more`;
}

/** One line for an error, and the exit code. */
function report(error: unknown): number {
  if (interrupt.signal.aborted) {
    if (process.stderr.isTTY) io.err('\n'); // the terminal has echoed ^C
    return interrupted;
  }
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  io.err(argv.includes('--debug') ? `${stack}\n` : `egps: ${oneLine(message)}\n`);
  return error instanceof OptionError ? 2 : 1;
}
