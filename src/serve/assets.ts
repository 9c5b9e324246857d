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

/** By their paths. */
export const ASSETS: Readonly<Record<string, Asset>> = {
  '/': {
    type: 'text/html; charset=utf-8',
    body: '<!doctype html><html lang="en"><meta charset="utf-8"><title>egps</title><p>egps',
  },
};
