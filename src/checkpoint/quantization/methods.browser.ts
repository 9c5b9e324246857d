import type { parseMethod as parse } from './methods.ts';

/** As under Node, once it is here. */
export let parseMethod: typeof parse;

/** Fetches the reading of quantised weights, a part of the program that few models need. */
export async function ready(): Promise<void> {
  ({ parseMethod } = await import('./methods.ts'));
}
