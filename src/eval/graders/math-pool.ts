import { Worker } from 'node:worker_threads';
import { lastBoxed } from '../../answers/boxed.ts';
import { GraderError } from '../../base/errors.ts';
import type { Grade } from '../item.ts';

const TIME_LIMIT = 10_000;
const MEMORY_MIB = 512;

/** Grades mathematical answers, one after the other, on a thread of its own that is replaced when an answer hangs it. */
export class MathGrader {
  readonly #timeLimit: number;
  readonly #url: URL;
  #worker: Promise<Worker> | undefined;
  #last: Promise<unknown> = Promise.resolve();

  /**
   * timeLimit: milliseconds an answer, without waiting and loading. url: a module that posts anything once it is ready and then a
   * Grade for each `{ response, right }`.
   */
  constructor({
    timeLimit = TIME_LIMIT,
    // .ts where sources are run, .js where they are compiled, and beside a bundle.
    url = new URL(import.meta.url.endsWith('.ts') ? 'math-worker.ts' : 'math-worker.js', import.meta.url),
  }: { timeLimit?: number; url?: URL } = {}) {
    this.#timeLimit = timeLimit;
    this.#url = url;
  }

  /**
   * See `gradeMath`. Past the time limit, and where the worker dies (out of memory, say), the verdict is `timed out`, with what
   * is in the box as it stands. Rejects with the signal's reason, and with a GraderError where the worker does not start.
   */
  grade(response: string, right: string, signal?: AbortSignal): Promise<Grade> {
    const grade = this.#last.then(() => this.#grade(response, right, signal));
    this.#last = grade.catch(() => {});
    return grade;
  }

  /** Ends the worker once all that was asked for is graded. */
  async close(): Promise<void> {
    await this.#last;
    const worker = await this.#worker?.catch(() => undefined); // whoever asked for it knows
    this.#worker = undefined;
    await worker?.terminate();
  }

  async #grade(response: string, right: string, signal: AbortSignal | undefined): Promise<Grade> {
    signal?.throwIfAborted();
    this.#worker ??= this.#start();
    const worker = await this.#worker;
    signal?.throwIfAborted();
    worker.ref();
    return new Promise((resolve, reject) => {
      const finish = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', aborted);
        worker.off('message', answered).off('exit', died).unref();
      };
      const discard = () => {
        finish();
        this.#worker = undefined;
        void worker.terminate();
      };
      const answered = (grade: Grade) => {
        finish();
        resolve(grade);
      };
      const died = () => {
        discard();
        resolve({ verdict: 'timed out', answer: lastBoxed(response) });
      };
      const aborted = () => {
        discard();
        reject(signal?.reason);
      };
      const timer = setTimeout(died, this.#timeLimit);
      signal?.addEventListener('abort', aborted);
      worker.on('message', answered).on('exit', died);
      worker.postMessage({ response, right });
    });
  }

  #start(): Promise<Worker> {
    const started = new Promise<Worker>((resolve, reject) => {
      const worker = new Worker(this.#url, { resourceLimits: { maxOldGenerationSizeMb: MEMORY_MIB } });
      worker.once('message', () => {
        worker.unref();
        resolve(worker);
      });
      const failed = (reason: string, cause?: unknown) => {
        if (this.#worker === started) this.#worker = undefined;
        reject(new GraderError(`the worker that grades mathematics does not start: ${reason}`, { cause }));
      };
      // Once it has started these only see to it that a dead worker is replaced.
      worker.on('error', (error) => failed(error.message, error));
      worker.on('exit', (code) => failed(`exit code ${code}`));
    });
    return started;
  }
}
