/** What runs this program. */
export const RUNTIME: 'node' | 'deno' | 'bun' =
  'Deno' in globalThis ? 'deno' : 'Bun' in globalThis ? 'bun' : 'node';

interface Permission {
  readonly name: 'run' | 'sys';
  readonly kind?: 'hostname' | 'uid';
}

interface Permissions {
  querySync(permission: Permission): { state: string };
}

/** Whether Deno has been allowed something, which it would otherwise ask for in the middle of a run. Others allow all. */
export function isAllowed(permission: Permission): boolean {
  const { permissions } = (globalThis as { Deno?: { permissions: Permissions } }).Deno ?? {};
  return permissions === undefined || permissions.querySync(permission).state === 'granted';
}
