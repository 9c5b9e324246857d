/** The process of one engine: node child.js DRIVER. Takes { method, args } by IPC, one at a time, and answers each with a Reply. */
import type { Engine, EngineOptions } from './engine.ts';

export interface Reply {
  value?: unknown;
  error?: string;
  seconds: number;
  /** Of all threads of the process. */
  cpuSeconds: number;
}

let engine: Engine | undefined;
const methods = {
  async open(options: EngineOptions) {
    engine = await (await import(process.argv[2])).open(options);
    return { device: engine?.device, precision: engine?.precision };
  },
};

process.on('disconnect', () => process.exit());
process.on('message', async ({ method, args }: { method: string; args: unknown[] }) => {
  const begin = performance.now();
  const before = process.cpuUsage();
  const reply: Partial<Reply> = {};
  try {
    const target = (method === 'open' ? methods : engine) as Record<string, (...args: unknown[]) => unknown>;
    reply.value = await target[method](...args);
  } catch (error) {
    reply.error = error instanceof Error ? error.message || error.name : String(error);
  }
  const { user, system } = process.cpuUsage(before);
  process.send?.({
    ...reply,
    seconds: (performance.now() - begin) / 1000,
    cpuSeconds: (user + system) / 1e6,
  });
});
