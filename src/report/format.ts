/** Numbers as the pages write them. */

export const minus = (text: string): string => text.replace('-', '−');
export const fixed = (value: number, digits: number): string => minus(value.toFixed(digits));
export const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** Digits in threes, with thin spaces: 12345 → "12 345". */
export const grouped = (n: number): string => String(n).replace(/\B(?=(\d{3})+$)/g, '\u2009');

/** The noun that goes with a number. */
export const noun = (n: number, one: string, many = `${one}s`): string => (n === 1 ? one : many);
