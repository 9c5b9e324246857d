import { WATCH_SCRIPT, type WatchPage, watchPage } from '../report/watch-page.ts';

/** A file of the page at `/`. */
export interface Asset {
  readonly type: string;
  readonly body: string;
}

/** What the page may load and where it may connect to: this server, and nothing else. */
export const PAGE_POLICY: string =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** The page of a run is one file. */
export const TRACE_POLICY: string =
  "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; " +
  "frame-ancestors 'none'";

/** The page and what it loads, by their paths. */
export const assetsOf = (about: WatchPage): Readonly<Record<string, Asset>> => ({
  '/': { type: 'text/html; charset=utf-8', body: watchPage(about) },
  '/watch.js': { type: 'text/javascript; charset=utf-8', body: WATCH_SCRIPT },
});
