export const INT32_MAX: number = 2 ** 31 - 1;
const F32_MAX = (2 - 2 ** -23) * 2 ** 127;

export const POSITIVE = 'a positive number within the range of f32';

/** From 0. */
export function isCount(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= INT32_MAX;
}

/** As an f32, which is what the GPU is given; it takes nothing beyond the largest, not even what would round to it. */
export function isPositive(value: unknown): value is number {
  return typeof value === 'number' && Math.fround(value) > 0 && value <= F32_MAX;
}
