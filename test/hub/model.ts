import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { HubModel } from '../support/hub-server.ts';
import { SHAPE } from '../support/models.ts';
import { randomCheckpoint } from '../support/random-checkpoint.ts';
import { decodeSafetensors, encodeSafetensors } from '../support/safetensors-bytes.ts';

export const COMMIT = 'a'.repeat(40);

/** A small model in one file, or in shards. */
export function smallModel(shards = 1, seed = 1): HubModel & { size: number } {
  const dir = mkdtempSync(join(tmpdir(), 'egps-small-'));
  randomCheckpoint(dir, SHAPE, seed, 'BF16');
  const config = readFileSync(join(dir, 'config.json'), 'utf8');
  const whole = readFileSync(join(dir, 'model.safetensors'));
  rmSync(dir, { recursive: true });
  const files: HubModel['files'] = {
    'config.json': config,
    'README.md': '# A model',
    'pytorch_model.bin': 'no',
  };
  let size = whole.length;
  if (shards === 1) files['model.safetensors'] = whole;
  else {
    size = 0;
    const tensors = [...decodeSafetensors(whole)];
    const weightMap: Record<string, string> = {};
    for (let i = 0; i < shards; i++) {
      const path = `model-0000${i + 1}-of-0000${shards}.safetensors`;
      const own = tensors.filter((_, at) => at % shards === i);
      for (const { name } of own) weightMap[name] = path;
      const bytes = encodeSafetensors(own);
      files[path] = bytes;
      size += bytes.length;
    }
    files['model.safetensors.index.json'] = JSON.stringify({ metadata: {}, weight_map: weightMap });
  }
  return { commit: COMMIT, files, size };
}
