#!/usr/bin/env node
import type { Io } from './io.ts';
import { hideNoise } from './native-stderr.ts';
import { run } from './run.ts';
import { Redraw, writers } from './terminal.ts';

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

let endStderr = () => {};
const code = await run(process.argv.slice(2), io, async () => {
  endStderr = await hideNoise();
});
if (code && interrupted && process.stderr.isTTY) io.err('\n'); // the terminal has echoed ^C
if (code) process.exitCode = interrupted || code;
endStderr();
