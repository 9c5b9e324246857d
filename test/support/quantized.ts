import { existsSync, readFileSync } from 'node:fs';
import { ModelFolder } from '../../src/checkpoint/model-folder.ts';
import { withFolder } from './folder.ts';
import { decodeSafetensors, encodeSafetensors, type TensorData } from './safetensors-bytes.ts';

/** What make_quantized.py wrote. */
export const QUANTIZED = 'test/fixtures/quantized';

type Json = Record<string, unknown>;

/** A checkpoint to be changed before it is written. */
export interface Draft {
  config: Json;
  /** Its quantization_config, or what a file of its own says instead. */
  settings: Json;
  tensors: Map<string, TensorData>;
  files: Record<string, object>;
}

export function draft(name: string): Draft {
  const dir = `${QUANTIZED}/${name}`;
  const config = JSON.parse(readFileSync(`${dir}/config.json`, 'utf8'));
  const tensors = decodeSafetensors(readFileSync(`${dir}/model.safetensors`));
  const beside = `${dir}/quantize_config.json`;
  const files: Draft['files'] = existsSync(beside)
    ? { 'quantize_config.json': JSON.parse(readFileSync(beside, 'utf8')) }
    : {};
  const settings = config.quantization_config ?? Object.values(files)[0];
  return { config, settings, tensors: new Map(tensors.map((tensor) => [tensor.name, tensor])), files };
}

/** A fixture with a change, written to a folder of its own. */
export async function withDraft(
  name: string,
  change: (draft: Draft) => void,
  use: (dir: string) => Promise<void>,
): Promise<void> {
  const made = draft(name);
  change(made);
  const { config, tensors, files } = made;
  const model = encodeSafetensors([...tensors.values()]);
  await withFolder({ 'config.json': config, 'model.safetensors': model, ...files }, use);
}

/** The same, opened. */
export function changed(
  name: string,
  change: (draft: Draft) => void,
  use: (folder: ModelFolder) => unknown = () => {},
): Promise<void> {
  return withDraft(name, change, async (dir) => {
    const folder = await ModelFolder.open(dir);
    try {
      await use(folder);
    } finally {
      await folder.close();
    }
  });
}

/** Words of a tensor, to be written to. */
export const words = ({ tensors }: Draft, name: string): Uint32Array =>
  new Uint32Array((tensors.get(name) as TensorData).data.buffer);
export const halves = ({ tensors }: Draft, name: string): Uint16Array =>
  new Uint16Array((tensors.get(name) as TensorData).data.buffer);
export const bytes = ({ tensors }: Draft, name: string): Uint8Array => (tensors.get(name) as TensorData).data;

/** Gives a tensor another shape or dtype; its bytes are cut, or filled up with zeros. */
export function reshape({ tensors }: Draft, name: string, dtype: string, shape: number[]): void {
  const { data } = tensors.get(name) as TensorData;
  const size = ({ I64: 8, I32: 4, F32: 4, F16: 2, BF16: 2 } as Record<string, number>)[dtype] ?? 1;
  const bytes = new Uint8Array(shape.reduce((n, m) => n * m, size));
  bytes.set(data.subarray(0, bytes.length));
  tensors.set(name, { name, dtype: dtype as TensorData['dtype'], shape, data: bytes });
}
