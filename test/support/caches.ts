/** The Cache API of a browser, in memory, as far as it is used. */
export class Caches {
  readonly entries = new Map<string, { headers: Headers; body: ArrayBuffer }>();
  /** What writing the n-th entry fails with. */
  refuse: (n: number) => Error | undefined = () => undefined;

  async open() {
    return {
      match: async (url: string) => {
        const found = this.entries.get(url);
        return found && new Response(found.body, { headers: found.headers });
      },
      put: async (url: string, response: Response) => {
        const error = this.refuse(this.entries.size + 1);
        if (error) throw error;
        this.entries.set(url, { headers: response.headers, body: await response.arrayBuffer() });
      },
      keys: async () => Array.from(this.entries.keys(), (url) => ({ url })),
      delete: async (url: string) => this.entries.delete(url),
    };
  }
}

export async function withCaches(use: (caches: Caches) => Promise<void>): Promise<void> {
  const caches = new Caches();
  const before = Object.getOwnPropertyDescriptor(globalThis, 'caches');
  Object.defineProperty(globalThis, 'caches', { value: caches, configurable: true });
  try {
    await use(caches);
  } finally {
    if (before) Object.defineProperty(globalThis, 'caches', before);
    else Reflect.deleteProperty(globalThis, 'caches');
  }
}
