/** Ways to damage a checkpoint, drawn at random. */
import { execFileSync } from 'node:child_process';
import { existsSync, linkSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What stands in a folder under each name. */
export type Files = Map<string, Uint8Array | Oddity>;

/** Something that is no file, or none that can be read. */
type Oddity = 'folder' | 'fifo' | 'loop' | 'dangling';

export type Kind = keyof typeof KINDS;

/** Each kind damages files of its own; all of them are there before. */
export const KINDS = {
  config: (random: Random, files: Files) =>
    damageJson(
      random,
      files,
      random.pick(['config.json', 'config.json', 'generation_config.json', 'egps.json']),
    ),
  header: damageHeader,
  index: (random: Random, files: Files) => damageJson(random, files, 'model.safetensors.index.json'),
  tokenizer: (random: Random, files: Files) => {
    const names = [
      'tokenizer.json',
      'tokenizer.json',
      'tokenizer_config.json',
      'special_tokens_map.json',
      'chat_template.jinja',
    ];
    const name = random.pick(names);
    if (name.endsWith('.json')) damageJson(random, files, name);
    else files.set(name, damageBytes(random, bytesOf(files, name)));
  },
  file: damageFile,
  codes: damageCodes,
};

/** splitmix32 of a seed. */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed | 0;
  }

  /** Below n. */
  below(n: number): number {
    this.state = (this.state + 0x9e3779b9) | 0;
    let z = Math.imul(this.state ^ (this.state >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return Math.floor((((z ^ (z >>> 16)) >>> 0) / 2 ** 32) * n);
  }

  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)];
  }
}

const DEPTH = 20_000;
const LENGTH = 150_000; // more arguments than a call may have

/** JSON of values that stand where others belong. */
const ODD_VALUES: readonly string[] = [
  ...[
    'null',
    'true',
    'false',
    '""',
    '[]',
    '{}',
    '"x"',
    '"toString"',
    '"__proto__"',
    '[null]',
    '[[]]',
    '[{}]',
  ],
  ...['0', '-0', '-1', '0.5', '1', '2', '3', '4', '8', '1e39', '1e-50', '1e308', '1e999', '5e-324'],
  ...[
    '255',
    '65536',
    '2147483647',
    '2147483648',
    '9007199254740992',
    '1e300',
    'NaN',
    'Infinity',
    '-Infinity',
  ],
  ...['{"toString":0}', '[{"toString":0}]', '{"toJSON":0}', '{"__proto__":null}', '{"constructor":1}'],
  ...[
    '{"length":3}',
    '{"valueOf":1,"toString":1}',
    '"\\u001b[2J"',
    '"\\u0000"',
    '"\\ud800"',
    '"../x"',
    '"("',
  ],
  ...[
    '"linear"',
    '"yarn"',
    '"longrope"',
    '"dynamic"',
    '"mistral"',
    ...[
      '"gptq"',
      '"awq"',
      '"compressed-tensors"',
      '"fp8"',
      '"gptq_v2"',
      '"pack-quantized"',
      '"int-quantized"',
    ],
    ...['"group"', '"channel"', '"tensor"', '"block"', '["re:.*"]', '["Linear"]', '{"-:.*q_proj":{}}'],
    ...['{".*":{"bits":8}}', '{"(a+)+$":{}}', '[32,32]', '32', '64', '-1'],
    '"sliding_attention"',
    '["full_attention"]',
  ],
  ...['"(a+)+$"', '"{{"', '"{% for x in y %}"', '{"Regex":"("}', '{"Regex":"(a|a)*b"}', '{"String":0}'],
];
const LARGE_VALUES: readonly (() => string)[] = [
  () => '['.repeat(DEPTH) + ']'.repeat(DEPTH),
  () => `${'{"a":'.repeat(DEPTH)}0${'}'.repeat(DEPTH)}`,
  () => `[${'0,'.repeat(LENGTH)}0]`,
  () => JSON.stringify('y'.repeat(LENGTH)),
];
const ODD_KEYS = [
  ...['toString', '__proto__', 'constructor', 'hasOwnProperty', '', '\u001b[2J', 'length'],
  ...['type', 'mscale', 'rope_parameters', 'max_window_layers', 'original_max_position_embeddings'],
];

function oddValue(random: Random): string {
  return random.below(12) === 0 ? random.pick(LARGE_VALUES)() : random.pick(ODD_VALUES);
}

function bytesOf(files: Files, name: string): Uint8Array {
  return files.get(name) as Uint8Array;
}

function damageJson(random: Random, files: Files, name: string): void {
  const bytes = bytesOf(files, name);
  const damaged =
    random.below(4) === 0
      ? damageBytes(random, bytes)
      : new TextEncoder().encode(damageText(random, new TextDecoder().decode(bytes)));
  files.set(name, damaged);
}

/** Where JSON of an odd value is to stand; a string that no checkpoint has. */
const MARK = 'a mark of the damage';

/** JSON with one to three of its members replaced, removed, renamed, exchanged or doubled. */
function damageText(random: Random, text: string): string {
  const root: { value: unknown } = { value: JSON.parse(text) };
  const raw: string[] = [];
  const mark = (json: string) => `${MARK}${raw.push(json) - 1}`;
  for (let n = 1 + random.below(3); n > 0; n--) {
    const places = membersOf(root);
    const [holder, key] = random.pick(places);
    const [other, otherKey] = random.pick(places);
    const value = holder[key];
    const way = random.below(8);
    if (way === 0 && holder !== root) {
      if (Array.isArray(holder)) holder.splice(Number(key), 1);
      else delete holder[key];
    } else if (way === 1 && holder !== root && !Array.isArray(holder)) {
      delete holder[key];
      Object.defineProperty(holder, random.pick(ODD_KEYS), {
        value,
        enumerable: true,
        configurable: true,
        writable: true,
      });
    } else if (way === 2) {
      holder[key] = structuredClone(other[otherKey]);
    } else if (way === 3 && typeof value === 'number') {
      holder[key] = random.pick([value * 2, value + 1, -value, value / 2, value * 2 ** 40]);
    } else if (way === 4 && holder !== root && !Array.isArray(holder)) {
      holder[key] = mark(
        `0,${JSON.stringify(key)}:${random.below(2) ? JSON.stringify(value) : oddValue(random)}`,
      );
    } else {
      holder[key] = mark(oddValue(random));
    }
  }
  let json = JSON.stringify(root.value) ?? 'null';
  for (let i = raw.length - 1; i >= 0; i--) json = json.replace(JSON.stringify(`${MARK}${i}`), () => raw[i]);
  return json;
}

type Holder = Record<string, unknown>;

/** Every member of a value, to any depth, and the value itself; of long lists a few. */
function membersOf(root: { value: unknown }): [holder: Holder, key: string][] {
  const members: [Holder, string][] = [[root, 'value']];
  for (const [holder, key] of members) {
    const value = holder[key];
    if (typeof value !== 'object' || value === null) continue;
    for (const name of Object.keys(value).slice(0, 30)) members.push([value as Holder, name]);
  }
  return members;
}

/** A few bytes flipped, cut out, put in or cut off. */
function damageBytes(random: Random, bytes: Uint8Array): Uint8Array {
  let result = [...bytes];
  for (let n = 1 + random.below(4); n > 0; n--) {
    const at = random.below(result.length + 1);
    const way = random.below(5);
    if (way === 0) result = result.slice(0, at);
    else if (way === 1) result.splice(at, 1 + random.below(8));
    else if (way === 2) result.splice(at, 0, ...Array.from({ length: 4 }, () => random.below(256)));
    else if (way === 3) result.splice(at, 0, ...result.slice(at, at + random.below(40)));
    else if (at < result.length) result[at] ^= 1 << random.below(8);
  }
  return Uint8Array.from(result);
}

function damageHeader(random: Random, files: Files): void {
  const name = random.pick([...files.keys()].filter((each) => each.endsWith('.safetensors')));
  const file = bytesOf(files, name);
  const view = new DataView(file.buffer, file.byteOffset);
  const end = 8 + Number(view.getBigUint64(0, true));
  const way = random.below(5);
  if (way === 0) {
    const length = random.pick([
      0n,
      1n,
      2n ** 53n,
      2n ** 64n - 1n,
      BigInt(end),
      BigInt(random.below(2 * end)),
    ]);
    const damaged = file.slice();
    new DataView(damaged.buffer).setBigUint64(0, length, true);
    files.set(name, damaged);
    return;
  }
  if (way === 1) return void files.set(name, damageBytes(random, file));
  const header = file.subarray(8, end);
  const damaged =
    way === 2
      ? damageBytes(random, header)
      : new TextEncoder().encode(damageText(random, new TextDecoder().decode(header)));
  const prefix = new Uint8Array(8);
  new DataView(prefix.buffer).setBigUint64(0, BigInt(damaged.length), true);
  files.set(name, new Uint8Array(Buffer.concat([prefix, damaged, file.subarray(end)])));
}

/** A few bytes of what stands behind a header, such as scales, zero points and orders of columns. */
function damageCodes(random: Random, files: Files): void {
  const file = bytesOf(files, 'model.safetensors').slice();
  const begin = 8 + Number(new DataView(file.buffer).getBigUint64(0, true));
  for (let n = 1 + random.below(4); n > 0; n--) {
    const at = begin + random.below(file.length - begin);
    file.fill(random.pick([0, 255, random.below(256)]), at, at + 1 + random.below(4));
  }
  files.set('model.safetensors', file);
}

const POINTER = 'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943\nsize 12345\n';

/** Any file, replaced by something else or taken away. */
function damageFile(random: Random, files: Files): void {
  const name = random.pick([...files.keys()]);
  const way = random.below(9);
  if (way < 4) files.set(name, (['folder', 'fifo', 'loop', 'dangling'] as const)[way]);
  else if (way === 4) files.set(name, new Uint8Array(0));
  else if (way === 5) files.set(name, new TextEncoder().encode(POINTER));
  else if (way === 6)
    files.set(name, bytesOf(files, name).slice(0, random.below(bytesOf(files, name).length)));
  else if (way === 7) files.set(name, bytesOf(files, random.pick([...files.keys()])));
  else files.delete(name);
}

/** Puts an entry of `files` into a folder where nothing has its name. */
export function put(dir: string, name: string, content: Uint8Array | Oddity): void {
  const path = join(dir, name);
  if (content === 'folder') mkdirSync(path);
  else if (content === 'fifo') linkSync(fifo(dir), path);
  else if (content === 'loop') symlinkSync(name, path);
  else if (content === 'dangling') symlinkSync(`${name}.nowhere`, path);
  else writeFileSync(path, content);
}

/** One that is made at the first call; a process for each would take longer than all else. */
function fifo(dir: string): string {
  const path = `${dir}.fifo`;
  if (!existsSync(path)) execFileSync('mkfifo', [path]);
  return path;
}
