/** Microtasks that a pass waits for, so that calls that come together share it. */
const TURNS = 64;

/** Runs one pass after another as long as there is something to do, each over everything that waits by then. */
export class Passes<Job> {
  private waiting: Job[] = [];
  private readonly finish = new Map<Job, (error?: unknown) => void>();
  private running = false;
  private readonly pass: (jobs: readonly Job[]) => Promise<readonly Job[]>;

  /** @param pass works on some of the jobs, in their order, and says which of them are finished */
  constructor(pass: (jobs: readonly Job[]) => Promise<readonly Job[]>) {
    this.pass = pass;
  }

  /** Resolves when all of these are finished. A pass that fails rejects whatever waits. */
  async run(jobs: readonly Job[]): Promise<void> {
    const finished = jobs.map(
      (job) =>
        new Promise<void>((resolve, reject) => {
          this.finish.set(job, (error) => (error === undefined ? resolve() : reject(error)));
        }),
    );
    this.waiting.push(...jobs);
    void this.pump();
    await Promise.all(finished);
  }

  private async pump(): Promise<void> {
    if (this.running) return;
    this.running = true;
    while (this.waiting.length > 0) {
      for (let turn = 0; turn < TURNS; turn++) await null;
      const jobs = [...this.waiting];
      try {
        for (const job of await this.pass(jobs)) this.end(job);
      } catch (error) {
        for (const job of jobs) this.end(job, error);
      }
    }
    this.running = false;
  }

  private end(job: Job, error?: unknown): void {
    this.waiting = this.waiting.filter((other) => other !== job);
    this.finish.get(job)?.(error);
    this.finish.delete(job);
  }
}
