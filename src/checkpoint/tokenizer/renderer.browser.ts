import type { render } from './jinja.ts';

/** What renders chat templates: a quarter of the program, which is fetched for a model that has one. */
export const renderer = async (): Promise<typeof render> => (await import('./jinja.ts')).render;
