import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** How a command has ended, and what it has written. */
export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Waits until a process has ended and all that it has written is read. */
export async function endOf(
  child: ChildProcess,
): Promise<Ended & { readonly signal: NodeJS.Signals | null }> {
  const written = { out: '', err: '' };
  child.stdout?.setEncoding('utf8').on('data', (text) => {
    written.out += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text) => {
    written.err += text;
  });
  const [code, signal] = await once(child, 'close');
  return { code, signal, ...written };
}
