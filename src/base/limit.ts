import { createContext, Script } from 'node:vm';
import { RUNTIME } from './runtime.ts';

const context = createContext({}) as { work?: () => unknown };
const script = new Script('work()');

export class TimeLimitError extends Error {
  override name = 'TimeLimitError';
}

/**
 * What `work` returns, which may be code of a file's or of the caller's that takes for ever: past the time limit, and at Ctrl-C, it
 * ends with an error, though the thread has not answered its events meanwhile. (Where node:vm has no watchdog, as in
 * Deno, there is no limit. Under Bun Ctrl-C waits for the limit.) It costs a thread for the time being: less than a millisecond.
 */
export function withinMilliseconds<T>(milliseconds: number, work: () => T): T {
  const outer = context.work;
  context.work = work;
  try {
    // Once Bun has listened for it, Ctrl-C never ends a process again that does not listen itself.
    return script.runInContext(context, {
      timeout: milliseconds,
      breakOnSigint: RUNTIME !== 'bun',
    }) as T;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ERR_SCRIPT_EXECUTION_TIMEOUT')
      throw new TimeLimitError(`did not end within ${milliseconds} ms`, { cause: error });
    if (code !== 'ERR_SCRIPT_EXECUTION_INTERRUPTED') throw error;
    // The watchdog kept the signal from whoever waits for it; where nobody does, it ends the process.
    if (!process.emit('SIGINT', 'SIGINT')) process.kill(process.pid, 'SIGINT');
    throw new TimeLimitError('was interrupted', { cause: error });
  } finally {
    context.work = outer;
  }
}
