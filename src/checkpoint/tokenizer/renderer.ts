import { render } from './jinja.ts';

/** What renders chat templates. */
export const renderer = async (): Promise<typeof render> => render;
