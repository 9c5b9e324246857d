/**
 * Downloads a model whose process is killed again and again, and counts what is sent:
 * `npm run kills -- --megabytes 1000 --kills 20 --rate 40` (megabytes a second; 0 is as fast as it goes). Every byte of weights counts
 * that the server has handed to its own end of a connection, whether or not it arrived.
 */
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { ModelConfig } from '../../src/checkpoint/config.ts';
import { tensorShapes } from '../../src/checkpoint/config.ts';
import { type Content, type HubServer, withHub } from '../support/hub-server.ts';
import { endOf } from '../support/process.ts';
import { configJson, SMALL } from '../support/random-checkpoint.ts';

const SHARDS = 4;
const COMMIT = 'c'.repeat(40);
const FETCH = `
  const { findModel } = await import(process.argv[1]);
  const found = await findModel('org/large');
  console.log((found.dir ? found : await found.fetch()).dir);
`;

export interface Outcome {
  readonly size: number;
  /** Bytes of weights that were sent, headers asked for beforehand included. */
  readonly sent: number;
  readonly kills: number;
  readonly seconds: number;
}

/** @throws Error a run fails by itself, or what is there in the end is not what was sent */
export async function downloadWithKills(bytes: number, kills: number, rate: number): Promise<Outcome> {
  const { files, size } = largeModel(bytes);
  let outcome: Outcome | undefined;
  await withHub({ 'org/large': { commit: COMMIT, files } }, async (hub) => {
    if (rate > 0) hub.rate = rate;
    const began = performance.now();
    const thresholds = Array.from({ length: kills }, () => Math.random() * 0.98 * size).sort((a, b) => a - b);
    let dir = '';
    for (const threshold of [...thresholds, Number.POSITIVE_INFINITY]) {
      const found = await run(hub, threshold);
      if (found === undefined) continue;
      dir = found;
      break;
    }
    const seconds = (performance.now() - began) / 1000;
    for (const [path, content] of Object.entries(files)) {
      const hash = createHash('sha256');
      for await (const chunk of createReadStream(join(dir, path))) hash.update(chunk);
      const expected =
        typeof content === 'string'
          ? createHash('sha256').update(content).digest('hex')
          : (content as { sha256: string }).sha256;
      if (hash.digest('hex') !== expected) throw new Error(`${path} is not what was sent`);
    }
    outcome = { size, sent: hub.sentOf(/safetensors$/), kills, seconds };
  });
  return outcome as Outcome;
}

/** Fetches in a process of its own, which is killed once so many bytes of weights were sent; the folder, if it came so far. */
async function run(hub: HubServer, threshold: number): Promise<string | undefined> {
  const module = new URL('../../src/hub/find.js', import.meta.url).href;
  const child = spawn(process.execPath, ['--input-type=module', '-e', FETCH, module], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: process.env,
  });
  const end = endOf(child);
  hub.onSent = () => {
    if (child.killed || hub.sentOf(/safetensors$/) < threshold) return;
    child.kill('SIGKILL');
    hub.cut(); // on a busy machine the other end lives on for a while
  };
  const { code, signal, out, err } = await end;
  hub.onSent = () => {};
  if (signal === 'SIGKILL') return undefined;
  if (code !== 0) throw new Error(`the download ended with ${code}: ${err}`);
  return out.trim();
}

/** A model of about so many bytes in shards, whose weights are made as they are asked for. */
export function largeModel(bytes: number): { files: Record<string, Content | string>; size: number } {
  const hiddenSize = 256;
  const vocabSize = Math.max(64, Math.round(bytes / (2 * 2 * hiddenSize)));
  const config: ModelConfig = { ...SMALL, hiddenSize, vocabSize, headDim: 64, eosTokens: [0] };
  const noise = randomBytes(1_000_003);
  const shards: [name: string, shape: number[]][][] = Array.from({ length: SHARDS }, () => []);
  for (const [i, tensor] of [...tensorShapes(config)].entries()) shards[i % SHARDS].push(tensor);
  const files: Record<string, Content | string> = {
    'config.json': JSON.stringify(configJson(config, 'BF16')),
  };
  const weightMap: Record<string, string> = {};
  let size = 0;
  for (const [i, shard] of shards.entries()) {
    const path = `model-0000${i + 1}-of-0000${SHARDS}.safetensors`;
    for (const [name] of shard) weightMap[name] = path;
    const content = shardOf(shard, noise);
    files[path] = content;
    size += content.size;
  }
  files['model.safetensors.index.json'] = JSON.stringify({ weight_map: weightMap });
  return { files, size };
}

function shardOf(tensors: readonly [name: string, shape: number[]][], noise: Uint8Array) {
  let end = 0;
  const entries = tensors.map(([name, shape]) => {
    const begin = end;
    end += 2 * shape.reduce((n, m) => n * m);
    return [name, { dtype: 'BF16', shape, data_offsets: [begin, end] }];
  });
  const json = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const head = Buffer.alloc(8 + json.length);
  head.writeBigUInt64LE(BigInt(json.length));
  head.set(json, 8);
  const size = head.length + end;
  const at = (from: number, to: number) => {
    const part = new Uint8Array(to - from);
    for (let i = from; i < to; ) {
      const source = i < head.length ? head : noise;
      const begin = i < head.length ? i : i % noise.length;
      const length = Math.min(to - i, source.length - begin);
      part.set(source.subarray(begin, begin + length), i - from);
      i += length;
    }
    return part;
  };
  const hash = createHash('sha256');
  for (let i = 0; i < size; i += 1 << 20) hash.update(at(i, Math.min(size, i + (1 << 20))));
  return { size, sha256: hash.digest('hex'), at };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      megabytes: { type: 'string', default: '1000' },
      kills: { type: 'string', default: '20' },
      rate: { type: 'string', default: '40' },
    },
  });
  const outcome = await downloadWithKills(
    1e6 * Number(values.megabytes),
    Number(values.kills),
    1e6 * Number(values.rate),
  );
  const { size, sent, kills, seconds } = outcome;
  const twice = (100 * (sent - size)) / size;
  console.log(
    `${size} bytes, killed ${kills} times, whole and right after ${seconds.toFixed(1)} s; ${twice.toFixed(2)} % were sent twice`,
  );
  if (twice > 1) process.exitCode = 1;
}

if (process.argv[1]?.endsWith('kills.js')) await main();
