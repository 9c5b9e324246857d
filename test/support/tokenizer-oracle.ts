import { createHash } from 'node:crypto';
import { readDecoder } from '../../src/checkpoint/tokenizer/decoders.ts';
import { readNormalizer } from '../../src/checkpoint/tokenizer/normalizers.ts';
import { Part } from '../../src/checkpoint/tokenizer/part.ts';
import { BYTE_CHARS, readPreTokenizer } from '../../src/checkpoint/tokenizer/pre-tokenizers.ts';
import { Tokenizer } from '../../src/checkpoint/tokenizer.ts';
import { withFolder } from './folder.ts';

/** What make_tokenizers.py writes. */
export interface Oracle {
  /** Some code points. */
  readonly few: readonly number[];
  readonly components: readonly Component[];
  readonly tokenizers: readonly {
    name: string;
    tokenizer: object;
    cases: [text: string, ids: number[], bare: number[], decoded: string, drawn: number[], text: string][];
  }[];
}

interface Component {
  readonly kind: 'normalizer' | 'pre_tokenizer' | 'decoder';
  readonly part: object;
  readonly points: 'every' | 'few';
  /** From each code point on, the pieces of `a{c}{c} {c}b` in lines, U+0000 in place of c. */
  readonly runs: readonly (readonly [first: number, signature: string])[];
  /** SHA-256 of the pieces, in lines, of `a{plane} {plane}b`: for the planes that `every` leaves out. */
  readonly planes: readonly (readonly [plane: number, digest: string])[];
  readonly cases: readonly (readonly [input: string | string[], output: string[]])[];
}

export type Reader = (kind: Component['kind'], part: object) => (input: string | string[]) => string[];

const ours: Reader = (kind, json) => {
  const part = new Part('tokenizer.json', kind, json);
  if (kind === 'decoder') {
    const decode = readDecoder(part);
    return (tokens) => [decode(tokens as string[]).join('')];
  }
  if (kind === 'normalizer') {
    const normalize = readNormalizer(part);
    return (text) => [normalize(text as string)];
  }
  const preTokenize = readPreTokenizer(part);
  return (text) => preTokenize(text as string, true).filter(Boolean);
};

export interface Difference {
  readonly name: string;
  readonly points: number;
  readonly strings: number;
  readonly compared: number;
  /** The first few, for a person. */
  readonly examples: string[];
}

/** Where components are not as Python's. Code points that this runtime's Unicode does not have are left out. */
export function compareComponents(oracle: Oracle, read: Reader = ours): Difference[] {
  return oracle.components.map(({ kind, part, points: which, runs, planes, cases }) => {
    const name = `${kind} ${JSON.stringify(part)}`;
    const apply = read(kind, part);
    const inBytes = name.includes('ByteLevel');
    const examples: string[] = [];
    const differs = (input: string | string[], expected: string[]) => {
      const actual = apply(input);
      if (JSON.stringify(actual) === JSON.stringify(expected)) return false;
      if (examples.length < 5) examples.push(`${show(input)}: ${show(actual)}, expected ${show(expected)}`);
      return true;
    };
    let at = 0;
    let points = 0;
    let compared = 0;
    if (runs.length > 0)
      for (const point of which === 'every' ? everyPoint() : oracle.few) {
        while (runs[at + 1]?.[0] <= point) at++;
        const c = String.fromCodePoint(point);
        if (UNASSIGNED.test(c) && which !== 'every') continue;
        compared++;
        const shown = inBytes ? Array.from(new TextEncoder().encode(c), (b) => BYTE_CHARS[b]).join('') : c;
        // One string, as c may be the line feed that parts the pieces
        const signature = apply(`a${c}${c} ${c}b`).join('\n').replaceAll(shown, '\0');
        if (signature === runs[at][1]) continue;
        points++;
        if (examples.length < 5)
          examples.push(`U+${point.toString(16)}: ${show(signature)}, expected ${show(runs[at][1])}`);
      }
    for (const [plane, digest] of planes) {
      const text =
        String.fromCodePoint(...codePoints(plane).slice(0, 0x8000)) +
        String.fromCodePoint(...codePoints(plane).slice(0x8000));
      const pieces = apply(`a${text} ${text}b`).join('\n');
      compared += 0x10000;
      if (createHash('sha256').update(pieces).digest('hex') === digest) continue;
      points++;
      examples.push(`plane ${plane}`);
    }
    const strings = cases.filter(([input, output]) => differs(input, output)).length;
    return { name, points, strings, compared: compared + cases.length, examples };
  });
}

export async function compareTokenizers({ tokenizers }: Oracle): Promise<Difference[]> {
  const differences: Difference[] = [];
  for (const { name, tokenizer, cases } of tokenizers)
    await withFolder({ 'tokenizer.json': tokenizer }, async (dir) => {
      const loaded = (await Tokenizer.load(dir)) as Tokenizer;
      const examples: string[] = [];
      for (const [text, ids, bare, decoded, drawn, drawnText] of cases) {
        const actual = [
          [...loaded.encode(text)],
          [...loaded.encode(text, false)],
          loaded.decode(ids),
          loaded.decode(drawn),
        ];
        const expected = [ids, bare, decoded, drawnText];
        if (show(actual) !== show(expected))
          examples.push(`${show(text)}: ${show(actual)}, expected ${show(expected)}`);
      }
      const strings = examples.length;
      differences.push({ name, points: 0, strings, compared: cases.length, examples: examples.slice(0, 5) });
    });
  return differences;
}

const UNASSIGNED = /\p{Cn}/u;
const show = (value: unknown) => JSON.stringify(value);

const codePoints = (plane: number) => Array.from({ length: 0x10000 }, (_, i) => plane * 0x10000 + i);

function* everyPoint(): Generator<number> {
  for (const plane of [0, 1, 2, 3, 14])
    for (const point of codePoints(plane)) if (point < 0xd800 || point > 0xdfff) yield point;
}
