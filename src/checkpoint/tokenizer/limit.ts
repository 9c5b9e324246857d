import { withinMilliseconds } from '#runtime/base/limit';

export { TimeLimitError } from '#runtime/base/limit';

const TIME_LIMIT = 3_000;
/** Milliseconds more for each character: a long text is no fault. */
const PER_CHARACTER = 0.05;

/** What `work` returns. A file's regular expression or template may take for ever. @throws TimeLimitError */
export function withinLimit<T>(characters: number, work: () => T): T {
  return withinMilliseconds(Math.ceil(TIME_LIMIT + characters * PER_CHARACTER), work);
}
