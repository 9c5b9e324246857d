/**
 * Opens damaged checkpoints. Each must load or be refused by a typed error, soon, in a process that lives on:
 *
 *   npm run fuzz -- [CASES] [SEED] [FIRST] [KINDS]
 *
 * The same seed and kinds (separated by commas; all, unless given) give the same cases. FIRST is the number of the
 * first one, to see a single one again.
 */
import { fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadDefaults } from '../../src/api/model-defaults.ts';
import { CheckpointError, UnsupportedModelError } from '../../src/base/errors.ts';
import { ModelFolder } from '../../src/checkpoint/model-folder.ts';
import type { QuantizedShape, QuantizedValues } from '../../src/checkpoint/quantized.ts';
import type { Tokenizer } from '../../src/checkpoint/tokenizer.ts';
import { rotaryTable } from '../../src/model/rotary.ts';
import { type Files, KINDS, type Kind, put, Random } from './damage.ts';
import { QUANTISED_SEEDS, quantisedCheckpoint, soundCheckpoint } from './sound.ts';

export interface Plan {
  readonly cases: number;
  readonly seed: number;
  readonly first?: number;
  /** Default: all. */
  readonly kinds?: readonly Kind[];
}

export interface Report {
  /** How many cases ended in what: "loads", or an error's name. */
  readonly outcomes: ReadonlyMap<string, number>;
  /** One line for each case that must not end as it did. */
  readonly faults: readonly string[];
}

interface Ended {
  readonly number: number;
  readonly kind: Kind;
  readonly outcome: string;
  readonly fault?: string;
}

/** Far more than any case takes. */
const PATIENCE = 60_000;

/** Runs the cases in processes of their own. */
export async function fuzz({
  cases,
  seed,
  first = 0,
  kinds = Object.keys(KINDS) as Kind[],
}: Plan): Promise<Report> {
  const outcomes = new Map<string, number>();
  const faults: string[] = [];
  const end = (outcome: string, fault?: string) => {
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    if (fault) faults.push(fault);
  };
  for (let next = first; next < first + cases; ) {
    await new Promise<void>((resolve) => {
      const dir = mkdtempSync(join(tmpdir(), 'egps-fuzz-'));
      const args = [dir, next, first + cases, seed, ...kinds].map(String);
      const child = fork(fileURLToPath(import.meta.url), ['--child', ...args], {
        stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      });
      let said = '';
      child.stderr?.setEncoding('utf8').on('data', (text: string) => {
        said += text;
      });
      let late = false;
      const timer = setTimeout(() => {
        late = true;
        child.kill('SIGKILL');
      }, PATIENCE);
      child.on('message', ({ number, kind, outcome, fault }: Ended) => {
        timer.refresh();
        next = number + 1;
        end(outcome, fault && `case ${number} (${kind}): ${fault}`);
      });
      child.on('close', (code, signal) => {
        clearTimeout(timer);
        rmSync(dir, { recursive: true });
        if (next < first + cases) {
          const outcome = late ? 'hang' : `dead process (${code ?? signal})`;
          end(outcome, `case ${next}: ${outcome} ${said.slice(-1000)}`);
          next++;
        }
        resolve();
      });
    });
  }
  return { outcomes, faults };
}

/** Runs cases `from` up to `to` in folder `dir`. */
async function runCases(dir: string, from: number, to: number, seed: number, kinds: Kind[]): Promise<void> {
  const [whole, sharded] = ['whole', 'sharded'].map((name) => {
    const path = join(dir, name);
    return { path, files: soundCheckpoint(path, name === 'sharded') };
  });
  const quantised = QUANTISED_SEEDS.map((name) => {
    const path = join(dir, name);
    return { path, files: quantisedCheckpoint(path, name) };
  });
  const pick = (random: Random, kind: Kind) => {
    if (kind === 'codes' || ((kind === 'config' || kind === 'header') && random.below(2)))
      return random.pick(quantised);
    return kind === 'index' || random.below(2) ? sharded : whole;
  };
  for (let number = from; number < to; number++) {
    const random = new Random(Math.imul(seed, 0x9e3779b1) ^ Math.imul(number, 0x85ebca77));
    const kind = random.pick(kinds);
    const { path, files } = pick(random, kind);
    const damaged: Files = new Map(files);
    KINDS[kind](random, damaged);
    const changed = [...files.keys()].filter((name) => damaged.get(name) !== files.get(name));
    for (const name of changed) {
      rmSync(join(path, name));
      const content = damaged.get(name);
      if (content) put(path, name, content);
    }
    const ended = await outcomeOf(path);
    process.send?.({ number, kind, ...ended } satisfies Ended);
    for (const name of changed) {
      rmSync(join(path, name), { recursive: true, force: true });
      put(path, name, files.get(name) as Uint8Array);
    }
  }
  process.disconnect?.();
}

async function outcomeOf(dir: string): Promise<{ outcome: string; fault?: string }> {
  try {
    const fault = await open(dir);
    return { outcome: 'loads', fault };
  } catch (error) {
    const { name, stack } = error instanceof Error ? error : new Error(String(error));
    if (error instanceof CheckpointError || error instanceof UnsupportedModelError) return { outcome: name };
    return { outcome: name, fault: stack?.slice(0, 600) };
  }
}

/** Does all that is done with a model's folder before a GPU is needed. Returns what is wrong with what it gives. */
async function open(dir: string): Promise<string | undefined> {
  const folder = await ModelFolder.open(dir);
  const { config, tokenizer } = folder;
  await loadDefaults(dir);
  try {
    for (const tensor of folder.tensors.values()) {
      await folder.readInto(tensor, 0, new Uint8Array(tensor.end - tensor.begin));
    }
    for (const [name, matrix] of folder.quantized) {
      const fault = oddityOf(matrix, await matrix.read());
      if (fault) return `${name}: ${fault}`;
    }
  } finally {
    await folder.close();
  }
  if (tokenizer) speak(tokenizer);
  for (const value of [config.rmsNormEps, config.ropeTheta].map(Math.fround)) {
    if (!(value > 0 && value < Number.POSITIVE_INFINITY)) return `${value} is no f32 to compute with`;
  }
  if (!rotaryTable(3, config).every(Number.isFinite)) return 'the rotary table has no numbers';
  const size = config.slidingWindow?.size ?? 1;
  if (!(size >= 1)) return `a window of ${size} positions`;
  return undefined;
}

/** What is not as the shape of a quantised matrix says. */
function oddityOf(
  shape: QuantizedShape,
  { codes, scales, zeros, order }: QuantizedValues,
): string | undefined {
  const { rows, columns, code, group, hasZeros, hasOrder } = shape;
  const parameters = rows * Math.ceil(columns / group);
  const most = code === 'int4' ? 15 : 255;
  if (codes.length !== rows * columns || codes.some((each) => each > most)) return 'codes';
  if (scales.length !== parameters || !scales.every(Number.isFinite)) return 'scales';
  if (hasZeros !== (zeros !== undefined) || (zeros && zeros.length !== parameters)) return 'zero points';
  if (zeros?.some((each) => each > most)) return 'a zero point';
  if (hasOrder !== (order !== undefined) || (order && new Set(order).size !== columns)) return 'an order';
  return order?.some((place) => place >= columns) ? 'a place' : undefined;
}

function speak(tokenizer: Tokenizer): void {
  for (const text of ['the cat \n\t<eos> é🙂', ' ', 'x'.repeat(200)]) {
    const ids = tokenizer.encode(text);
    tokenizer.decode(ids);
    tokenizer.tokenText(ids[0] ?? 0);
    const stream = tokenizer.stream();
    for (const id of ids) stream.push(id);
    stream.end();
  }
  try {
    tokenizer.applyChatTemplate([{ role: 'user', content: 'the cat' }]);
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
  }
}

const args = process.argv.slice(2);
if (args[0] === '--child') {
  const [dir, from, to, seed, ...kinds] = args.slice(1);
  await runCases(dir, Number(from), Number(to), Number(seed), kinds as Kind[]);
} else if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [cases = '10000', seed = '1', first = '0', kinds = Object.keys(KINDS).join()] = args;
  const plan = { cases: Number(cases), seed: Number(seed), first: Number(first), kinds: kinds.split(',') };
  if (!(plan.cases > 0 && plan.seed >= 0 && plan.first >= 0 && plan.kinds.every((kind) => kind in KINDS))) {
    console.error(`npm run fuzz -- [CASES [SEED [FIRST [KINDS of ${Object.keys(KINDS).join()}]]]]`);
    process.exit(2);
  }
  const { outcomes, faults } = await fuzz(plan as Plan);
  for (const fault of faults) console.log(fault);
  for (const [outcome, count] of outcomes) console.log(`${count} ${outcome}`);
  console.log(`${faults.length} of ${cases} cases must not end as they do`);
  process.exitCode = faults.length > 0 ? 1 : 0;
}
