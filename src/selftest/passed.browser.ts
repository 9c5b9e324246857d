const CACHE = 'egps';

/** What computes, but for the adapter. */
export function platform(): { system: string; runtime: string } {
  return { system: 'browser', runtime: navigator.userAgent };
}

/** Cached responses are found by an address, which nobody has to answer to. */
const addressOf = (name: string) => `https://egps.invalid/${name}`;

/** Whether it is known of a page before this one. */
export async function hasPassed(name: string, identity: string): Promise<boolean> {
  const found = await openCache()
    .then((cache) => cache.match(addressOf(name)))
    .catch(() => undefined);
  return (await found?.text()) === identity;
}

export async function remember(name: string, identity: string): Promise<void> {
  const cache = await openCache();
  await cache.put(addressOf(name), new Response(identity));
}

/** A page without an origin has no cache, and some browsers have none in a private window. */
const openCache = async () => caches.open(CACHE);
