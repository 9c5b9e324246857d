import { CheckpointError } from '../base/errors.ts';

/** More than the JSON of any model; a string may not be much longer. */
export const MAX_TEXT: number = 2 ** 28;
const POINTER = 'version https://git-lfs.github.com/spec/';

/** A file that is being read. */
export interface OpenFile {
  readonly size: number;
  /** Fills `target` from byte `position` on. Returns the number of bytes read: fewer only at the end of the file. @throws CheckpointError */
  read(position: number, target: Uint8Array): Promise<number>;
  close(): Promise<void>;
}

/** The files of one model by their names, wherever they are. */
export interface ModelFiles {
  /** Where they are, for messages. */
  readonly place: string;
  /** The same of one of them. */
  path(name: string): string;
  /** undefined where there is none. @throws CheckpointError it cannot be opened, is no file, or is a pointer to one */
  open(name: string): Promise<OpenFile | undefined>;
  /** What is known of why there is none, to stand behind a message; '' where that is all there is to say. */
  why(name: string): string;
}

/** All bytes of a file; undefined where there is none. @throws CheckpointError as `open`, or it is too large */
export async function readBytes(files: ModelFiles, name: string): Promise<Uint8Array | undefined> {
  const file = await files.open(name);
  if (!file) return undefined;
  const { size } = file;
  try {
    if (size > MAX_TEXT)
      throw new CheckpointError(files.path(name), `has ${size} bytes: at most ${MAX_TEXT} are read`);
    const bytes = new Uint8Array(size);
    return bytes.subarray(0, await file.read(0, bytes));
  } finally {
    await file.close();
  }
}

/** Text in UTF-8; undefined where there is no such file. @throws CheckpointError */
export async function readText(files: ModelFiles, name: string): Promise<string | undefined> {
  const bytes = await readBytes(files, name);
  return bytes && decodeText(files.path(name), bytes);
}

/** @throws CheckpointError the bytes are not UTF-8 */
export function decodeText(file: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw new CheckpointError(file, 'is not valid UTF-8', { cause: error });
  }
}

/** What `open` does with a file that it has found. @throws CheckpointError it stands for another one */
export async function refusePointer(path: string, file: OpenFile): Promise<void> {
  const begin = new Uint8Array(POINTER.length);
  if ((await file.read(0, begin)) < POINTER.length) return;
  if (new TextDecoder('latin1').decode(begin) !== POINTER) return;
  const remedy = 'git lfs pull, run in its folder, brings the file itself';
  throw new CheckpointError(path, `is a Git LFS pointer, not the file it stands for: ${remedy}`);
}
