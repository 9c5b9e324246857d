export class TimeLimitError extends Error {
  override name = 'TimeLimitError';
}

/** A browser has nothing that ends what its own thread does: there is no limit. A page has one where it ends the worker that the model is in. */
export function withinMilliseconds<T>(_milliseconds: number, work: () => T): T {
  return work();
}
