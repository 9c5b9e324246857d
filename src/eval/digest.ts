import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { relative, sep } from 'node:path';
import { filesIn } from '../checkpoint/files.ts';
import { Checkpoint } from '../checkpoint/safetensors.ts';
import { readBytes } from '../checkpoint/source.ts';
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
 * @throws CheckpointError; DataError where there is no such folder
 */
export async function modelDigest(dir: string): Promise<string> {
  const hash = createHash('sha256');
  const model = filesIn(dir);
  const names = (await reading(dir, () => readdir(dir))).sort();
  for (const name of names.filter((each) =>
    /^((config|generation_config|tokenizer.*|special_tokens_map|egps)\.json|chat_template\.jinja)$/.test(
      each,
    ),
  )) {
    const bytes = await readBytes(model, name);
    if (bytes) hash.update(`${name} ${createHash('sha256').update(bytes).digest('hex')}\n`);
  }
  for (const name of await weightFiles(dir, names)) {
    const file = await model.open(name);
    if (!file) continue;
    const { size } = file;
    try {
      hash.update(`${name} ${size}\n`);
      const buffer = Buffer.alloc(PART_BYTES);
      for (let part = 0; part < PARTS; part++) {
        const at = Math.floor((Math.max(0, size - PART_BYTES) * part) / (PARTS - 1));
        hash.update(buffer.subarray(0, await file.read(at, buffer)));
      }
    } finally {
      await file.close();
    }
  }
  return hash.digest('hex');
}

/** The safetensors files in the folder, and shards that lie deeper. */
async function weightFiles(dir: string, names: readonly string[]): Promise<string[]> {
  const checkpoint = await Checkpoint.open(dir);
  await checkpoint.close();
  const used = [...checkpoint.tensors.values(), ...checkpoint.others.values()];
  const shards = used.map(({ file }) => relative(dir, file).split(sep).join('/'));
  return [...new Set([...names.filter((name) => name.endsWith('.safetensors')), ...shards])].sort();
}
