import { randomBytes } from 'node:crypto';
import { chmod, lstat, readdir, rename, rmdir, unlink } from 'node:fs/promises';

const SLASH = Buffer.from('/');

/**
 * Removes a folder whatever was made in it: names that are no text, folders that cannot be read, and nesting deeper than
 * the longest path, for which each folder is moved to the top before it is emptied.
 * @returns the first error, where something is left; it never throws
 */
export async function removeFolder(folder: string): Promise<Error | undefined> {
  const top = Buffer.from(folder);
  const own = randomBytes(8).toString('hex');
  const waiting: Buffer[] = [];
  let moved = 0;
  let first: Error | undefined;
  const attempt = async (step: () => Promise<void>) => {
    try {
      await step();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') first ??= error as Error;
    }
  };
  const empty = async (parent: Buffer) => {
    await chmod(parent, 0o700);
    // Not withFileTypes: Bun gives the names alone where they are bytes.
    for (const name of await readdir(parent, { encoding: 'buffer' })) {
      const path = Buffer.concat([parent, SLASH, name]);
      await attempt(async () => {
        if (!(await lstat(path)).isDirectory()) return unlink(path);
        // Moving it needs the right to write to it.
        await chmod(path, 0o700);
        const place = Buffer.concat([top, SLASH, Buffer.from(`${own}-${moved++}`)]);
        await rename(path, place);
        waiting.push(place);
      });
    }
  };
  await attempt(() => empty(top));
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const place = next;
    await attempt(() => empty(place));
    await attempt(() => rmdir(place));
  }
  await attempt(() => rmdir(top));
  return first;
}
