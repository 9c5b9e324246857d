import { join } from 'node:path';
import { DataError, OutputError } from '../base/errors.ts';
import { FolderLock } from '../base/lock.ts';
import type { Pick as PickName } from '../sampling/sample.ts';
import { checkPlan, checkSession, itemsCheck, responsesOf, resultCheck, timingCheck } from './checks.ts';
import { makeFolder, readIfPresent, replaceFile, utf8, writing } from './files.ts';
import type { Item } from './item.ts';
import { type Kind, Lines, readLines } from './lines.ts';
import { keyOf, type Result, type Timing } from './result.ts';
import type { Check } from './shape.ts';
import type { Shard } from './shard.ts';

/** What determines the results of a run; run.json. Two runs with equal plans have equal results. */
export interface Plan {
  /** Version of this program. */
  readonly egps: string;
  readonly task: string;
  /** SHA-256 of the task's file. */
  readonly data?: string;
  /** Name of the model's folder, and a digest of what is in it. */
  readonly model: string;
  readonly modelDigest: string;
  /** How its weights were rounded. */
  readonly quantize?: string;
  readonly quantizeHead?: string;
  readonly quantizeGroup?: number;
  readonly promptStyle: string;
  /** Keys and values where they are not f32. */
  readonly kvCache?: string;
  /** As on the command line, with the options resolved. */
  readonly samplers: readonly {
    readonly sampler: string;
    readonly options: Readonly<Record<string, unknown>>;
    /** The sampler whose chain this one is read off; itself where it has one of its own. */
    readonly chain: string;
    /** Responses of a chain that are graded. */
    readonly picks: readonly PickName[];
  }[];
  readonly seed: string;
  /** Chains an item and sampler. */
  readonly samples: number;
  readonly limit?: number;
  /** Lines of the file that were left out. */
  readonly skippedLines: number;
  readonly shard?: Shard;
  /** Ids of all items, of every shard. */
  readonly items: readonly string[];
}

/** A process that has worked on a run: a line of sessions.jsonl. */
export interface Session {
  /** As in its timings. */
  readonly process: string;
  readonly adapter: string;
  /** Most chains side by side, on which costs depend. */
  readonly concurrency: number;
  readonly versions: Readonly<Record<string, string>>;
}

const RESULTS = 'results.jsonl';
const TIMINGS = 'timings.jsonl';
const SESSIONS = 'sessions.jsonl';
export const PLAN = 'run.json';
export const ITEMS = 'items.json';

/** What a run has on record. */
export interface RunRecord {
  readonly results: readonly Result[];
  readonly timings: readonly Timing[];
  readonly sessions: readonly Session[];
}

/** What the lines of the three files are. */
function kinds(plan: Plan): { results: Kind<Result>; timings: Kind<Timing>; sessions: Kind<Session> } {
  return {
    results: { check: resultCheck(plan), keyOf },
    timings: { check: timingCheck(plan), keyOf, unflushed: true },
    sessions: { check: checkSession, unflushed: true },
  };
}

/** The folder of a run, held by this process alone. When `add` has returned, its results are on the disk. */
export class RunFolder {
  readonly path: string;
  /** Aborted when another process has taken the folder. */
  readonly lost: AbortSignal;
  private readonly plan: Plan;
  private readonly lock: FolderLock;
  private readonly results: Lines<Result>;
  private readonly timings: Lines<Timing>;
  private readonly sessions: Lines<Session>;

  private constructor(path: string, plan: Plan, lock: FolderLock, files: OpenFiles) {
    this.path = path;
    this.plan = plan;
    this.lock = lock;
    this.lost = lock.lost;
    this.results = files.results;
    this.timings = files.timings;
    this.sessions = files.sessions;
  }

  /**
   * Opens the folder, which is made if it is not there, for a run that is to begin or to go on.
   * @param items those of this shard, kept for the report
   * @throws OutputError where it cannot be written to, is in use, or holds the results of another run; DataError for results that
   * cannot be read, or are none that the plan asks for
   */
  static async open(path: string, plan: Plan, items: readonly Item[]): Promise<RunFolder> {
    await writing(path, () => makeFolder(path));
    const lock = await writing(path, () => FolderLock.acquire(path));
    const opened: { close(): Promise<void> }[] = [];
    try {
      const before = await readPlan(path);
      if (before) checkSame(path, before, plan);
      const open = async <T>(name: string, kind: Kind<T>) => {
        const lines = await writing(path, () => Lines.open(join(path, name), kind));
        opened.push(lines);
        return lines;
      };
      const { results, timings, sessions } = kinds(plan);
      const files: OpenFiles = {
        results: await open(RESULTS, results),
        timings: await open(TIMINGS, timings),
        sessions: await open(SESSIONS, sessions),
      };
      const found = files.results.found.length;
      if (!before && found > 0) {
        throw new OutputError(
          path,
          `${RESULTS} has ${found} results, but there is no ${PLAN} to say of what`,
        );
      }
      const text = `${JSON.stringify(items, null, 1)}\n`;
      if ((await readIfPresent(join(path, ITEMS)))?.toString() !== text)
        await writing(path, () => replaceFile(path, ITEMS, text, true));
      // The plan comes last: where it stands, the rest does.
      if (!before) {
        await writing(path, () => replaceFile(path, PLAN, `${JSON.stringify(plan, null, 1)}\n`, true));
      }
      return new RunFolder(path, plan, lock, files);
    } catch (error) {
      for (const lines of opened) await lines.close();
      await lock.release();
      throw error;
    }
  }

  /** Results that are on record already are left out. @throws OutputError; what was added before is safe */
  async add(results: readonly Result[], timings: readonly Timing[]): Promise<void> {
    // First, so that a result on record has its costs beside it.
    await writing(this.path, () => this.timings.append(timings, false));
    await writing(this.path, () => this.results.append(results, true));
  }

  /** Says who is at work from now on. */
  async begin(session: Session): Promise<void> {
    await writing(this.path, () => this.sessions.append([session], false));
  }

  /** What is there now, each result once. */
  record(): RunRecord {
    return {
      results: [...this.results.found],
      timings: [...this.timings.found],
      sessions: [...this.sessions.found],
    };
  }

  /** Responses that the plan asks for, and those that are not on record: each that is there is one of the plan's, and no two are the same. */
  progress(): { total: number; missing: number } {
    const total = responsesOf(this.plan);
    return { total, missing: total - this.results.found.length };
  }

  /** Writes another file of the run, whole or not at all. `name` may have a folder in it. */
  async write(name: string, text: string): Promise<void> {
    await writing(this.path, () => replaceFile(this.path, name, text));
  }

  async close(): Promise<void> {
    for (const lines of [this.results, this.timings, this.sessions])
      await writing(this.path, () => lines.close());
    await this.lock.release();
  }
}

interface OpenFiles {
  readonly results: Lines<Result>;
  readonly timings: Lines<Timing>;
  readonly sessions: Lines<Session>;
}

/** What a folder has on record, read without holding it. @throws DataError */
export async function readRecord(path: string): Promise<RunRecord> {
  const { results, timings, sessions } = kinds(await thePlan(path));
  return {
    results: await readLines(join(path, RESULTS), results),
    timings: await readLines(join(path, TIMINGS), timings),
    sessions: await readLines(join(path, SESSIONS), sessions),
  };
}

/** undefined where there is none. @throws DataError */
export async function readPlan(path: string): Promise<Plan | undefined> {
  return (await readJson(join(path, PLAN), checkPlan)) as Plan | undefined;
}

async function thePlan(path: string): Promise<Plan> {
  const plan = await readPlan(path);
  if (!plan) throw new DataError(path, `there is no ${PLAN}: not the folder of a run`);
  return plan;
}

/** @throws DataError */
export async function readItems(path: string): Promise<Item[]> {
  const file = join(path, ITEMS);
  const items = await readJson(file, itemsCheck(await thePlan(path)));
  if (!items) throw new DataError(file, 'is not there; the command that made the folder writes it again');
  return items as Item[];
}

async function readJson(file: string, check: Check): Promise<unknown> {
  const bytes = await readIfPresent(file);
  if (bytes === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(utf8(file, bytes));
  } catch (error) {
    throw error instanceof DataError ? error : new DataError(file, (error as Error).message);
  }
  const problem = check(value);
  if (problem) throw new DataError(file, problem);
  return value;
}

/** @throws OutputError saying what differs */
function checkSame(path: string, before: Plan, now: Plan): void {
  const found = differences(before, now);
  if (found.length === 0) return;
  throw new OutputError(
    path,
    `has results of another run, where ${found.join(', ')}; another --out keeps them apart`,
  );
}

/** In words. */
export function differences(before: Plan, now: Plan): string[] {
  const show = (value: unknown) => {
    const text = JSON.stringify(value) ?? 'not given';
    return text.length > 60 ? `${text.slice(0, 57)}…` : text;
  };
  const found: string[] = [];
  for (const name of Object.keys({ ...before, ...now }) as (keyof Plan)[]) {
    if (JSON.stringify(before[name]) === JSON.stringify(now[name])) continue;
    if (name === 'samplers') {
      const [old, current] = [before, now].map(({ samplers }) =>
        samplers.map(({ sampler }) => sampler).join(','),
      );
      if (old !== current) found.push(`samplers was ${old}, is ${current}`);
      for (const { sampler, options, picks } of now.samplers) {
        const other = before.samplers.find((each) => each.sampler === sampler);
        if (!other) continue;
        const [old, current]: Record<string, unknown>[] = [
          { ...other.options, picks: other.picks },
          { ...options, picks },
        ];
        for (const option of Object.keys({ ...old, ...current })) {
          const [was, is] = [old[option], current[option]].map(show);
          if (was !== is) found.push(`${option} of ${sampler} was ${was}, is ${is}`);
        }
      }
      if (found.length === 0) found.push('the samplers were read off other chains');
    } else if (name === 'items') {
      found.push(`the items were others (${before.items.length}, now ${now.items.length})`);
    } else {
      found.push(`${name} was ${show(before[name])}, is ${show(now[name])}`);
    }
  }
  return found;
}
