import { createHash, timingSafeEqual } from 'node:crypto';
import { Refusal } from './refusal.ts';

/** Whether only this machine can connect to the address. */
export const isLoopback = (host: string): boolean =>
  /^(localhost|127(\.\d{1,3}){3}|::1|\[::1\])$/i.test(host);

/**
 * Refuses what a browser sends for a page of somebody else: a name that has been pointed at this machine (DNS rebinding), or another origin
 * than the server's own.
 * @param allowed origins that may call all the same
 */
export function checkSource({ headers }: Request, allowed: readonly string[]): void {
  const host = headers.get('host') ?? '';
  if (!isLoopback(host.replace(/:\d+$/, ''))) {
    throw new Refusal(403, 'foreign_host', `the host ${shown(host)} is not this server's name`, {
      param: 'host',
    });
  }
  const origin = headers.get('origin');
  if (origin === null || origin === `http://${host}` || isAllowed(origin, allowed)) return;
  throw new Refusal(403, 'foreign_origin', `the origin ${shown(origin)} is not this server's own`, {
    param: 'origin',
  });
}

export const isAllowed = (origin: string, allowed: readonly string[]): boolean =>
  allowed.includes('*') || allowed.includes(origin);

const shown = (text: string): string => JSON.stringify(text.slice(0, 100));

/** Compares keys in a time that does not tell how much of one is right. */
export function keyCheck(key: string): (request: Request) => void {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  const expected = digest(key);
  return ({ headers }) => {
    const [, given] = /^Bearer +(.*)$/i.exec(headers.get('authorization') ?? '') ?? [];
    if (given !== undefined && timingSafeEqual(digest(given), expected)) return;
    const message =
      given === undefined
        ? 'an API key is needed: Authorization: Bearer KEY'
        : 'the API key is not the one of this server';
    throw new Refusal(401, 'invalid_api_key', message, { headers: { 'www-authenticate': 'Bearer' } });
  };
}
