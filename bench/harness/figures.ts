/** Figures, their spread, and how they are shown. */

/** A figure that was measured `n` times: its median and its spread. */
export interface Summary {
  median: number;
  min: number;
  /** The quartiles, between which the middle half lies. */
  q1: number;
  q3: number;
  max: number;
  n: number;
}

/** @throws RangeError where there are no values, or one is not finite */
export function summarise(values: readonly number[]): Summary {
  const bad = values.find((v) => !Number.isFinite(v));
  if (values.length === 0 || bad !== undefined)
    throw new RangeError(`cannot summarise ${bad ?? 'no values'}`);
  const sorted = [...values].sort((a, b) => a - b);
  const quantile = (p: number) => {
    const at = p * (sorted.length - 1);
    const low = sorted[Math.floor(at)];
    return low + (at % 1) * (sorted[Math.ceil(at)] - low);
  };
  return {
    median: quantile(0.5),
    min: sorted[0],
    q1: quantile(0.25),
    q3: quantile(0.75),
    max: sorted[sorted.length - 1],
    n: sorted.length,
  };
}

/** The same figures of every measurement, one by one. */
export function summariseEach<K extends string>(all: readonly Record<K, number>[]): Record<K, Summary> {
  const names = Object.keys(all[0]) as K[];
  return Object.fromEntries(names.map((name) => [name, summarise(all.map((each) => each[name]))])) as Record<
    K,
    Summary
  >;
}

/** Of `n` measurements after one that does not count. */
export async function repeat(n: number, measure: () => number | Promise<number>): Promise<Summary> {
  await measure();
  const values: number[] = [];
  while (values.length < n) values.push(await measure());
  return summarise(values);
}

export const mean = (values: number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

/** Of the mean. */
export const standardError = (values: number[]): number => {
  const m = mean(values);
  return Math.sqrt(values.reduce((sum, v) => sum + (v - m) ** 2, 0) / (values.length - 1) / values.length);
};

/** Wall time, and CPU time of the whole process: on a software adapter the GPU's too. */
export async function timed(work: () => unknown): Promise<{ seconds: number; cpuMs: number }> {
  const cpu = process.cpuUsage();
  const begin = performance.now();
  await work();
  const seconds = (performance.now() - begin) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return { seconds, cpuMs: (user + system) / 1000 };
}

/** "median (min to max)", each in units of `unit`. */
export function show({ median, min, max }: Summary, unit = 1): string {
  const [m, least, most] = [median, min, max].map((v) => short(v / unit));
  return least === most ? m : `${m} (${least} to ${most})`;
}

/** Three significant digits, or all that stand before the point. */
export function short(x: number): string {
  const digits = x === 0 ? 0 : 2 - Math.floor(Math.log10(Math.abs(x)));
  return x.toFixed(Math.min(6, Math.max(0, digits)));
}

/** Columns are as wide as they need to be; the first is aligned to the left. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, i) => Math.max(...all.map((row) => row[i].length)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])))
      .join('  ')
      .trimEnd();
  return [line(head), line(widths.map((n) => '-'.repeat(n))), ...rows.map(line)].join('\n');
}

/** Says on stderr what is being measured: on a terminal in one line that it takes back, else a line each. */
export function progress(text = ''): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
  else if (text) process.stderr.write(`${text}\n`);
}
