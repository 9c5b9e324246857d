import { createHash } from 'node:crypto';
import { open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isFile, reading } from './files.ts';

const PARTS = 64;
const PART_BYTES = 65536;

/** SHA-256 of a file, hex. @throws DataError */
export async function fileDigest(path: string): Promise<string> {
  await isFile(path);
  return createHash('sha256')
    .update(await reading(path, () => readFile(path)))
    .digest('hex');
}

/**
 * Tells models apart: SHA-256 over the JSON files in the folder, the chat template and, of each safetensors file, its size and 4 MiB spread evenly over it. To
 * read all of a large model would take longer than to load it.
 * @throws DataError
 */
export async function modelDigest(dir: string): Promise<string> {
  const hash = createHash('sha256');
  const names = (await reading(dir, () => readdir(dir))).sort();
  for (const name of names.filter((each) =>
    /^((config|generation_config|tokenizer.*|egps)\.json|chat_template\.jinja)$/.test(each),
  )) {
    hash.update(`${name} ${await fileDigest(join(dir, name))}\n`);
  }
  for (const name of names.filter((each) => each.endsWith('.safetensors'))) {
    const path = join(dir, name);
    await isFile(path);
    const file = await reading(path, () => open(path));
    try {
      const { size } = await file.stat();
      hash.update(`${name} ${size}\n`);
      const buffer = Buffer.alloc(PART_BYTES);
      for (let part = 0; part < PARTS; part++) {
        const at = Math.floor((Math.max(0, size - PART_BYTES) * part) / (PARTS - 1));
        const { bytesRead } = await file.read(buffer, 0, PART_BYTES, at);
        hash.update(buffer.subarray(0, bytesRead));
      }
    } finally {
      await file.close();
    }
  }
  return hash.digest('hex');
}
