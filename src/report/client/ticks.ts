/** Round numbers along an axis. */

/** About n of them from low to high, at least `least` apart. */
export function linearTicks(low: number, high: number, n: number, least = 0): number[] {
  const raw = (high - low) / n;
  const power = 10 ** Math.floor(Math.log10(raw));
  const size = Math.max(least, [1, 2, 5, 10].map((m) => m * power).find((s) => s >= 0.7 * raw) as number);
  const first = Math.ceil(low / size);
  const found: number[] = [];
  for (let k = first; k * size <= high; k++) found.push(Number((k * size).toPrecision(12)));
  return found;
}

/** 1, 2 and 5 times powers of ten; twice as dense where these are few. */
export function logTicks(low: number, high: number): number[] {
  const between = (steps: readonly number[]) => {
    const found: number[] = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
      for (const step of steps) found.push(Number((step * 10 ** power).toPrecision(3)));
    }
    return found.filter((tick) => tick >= low && tick <= high);
  };
  const coarse = between([1, 2, 5]);
  return coarse.length >= 3 ? coarse : between([1, 1.5, 2, 3, 4, 5, 6, 8]);
}
