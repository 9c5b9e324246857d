// What each kernel of a pass computes, in float64 and from what it found in its buffers: so an error stays with the kernel that made it.
import { PAGE } from '../cache/kv-cache.ts';
import { rotaryFrequencies, rotaryLength } from '../model/rotary.ts';
import { attends, merges } from './attention.ts';
import { type Check, compare, exact, oneNaN, unrounded, worst } from './compare.ts';
import { matvec, rmsNorm, rotary, siluGate } from './float64.ts';
import { cached, normed, pages, places, type Region, range, streams, sum } from './layouts.ts';
import { type RowIn, rowsIn } from './rows-in.ts';
import { some, someRows, WORK } from './some.ts';
import type { Contents, KernelName, Step, Subject, Trial } from './subject.ts';
import { drawn, summarised } from './summaries.ts';

type Definition = (subject: Subject, step: Step, trial: Trial) => Check;

export const DEFINITIONS: Readonly<Record<KernelName, Definition>> = {
  'copy-pages': (subject, { before, after }, { copies }) => {
    const { size } = pages(subject);
    const expected = cacheBits(subject, before);
    for (const { from, to } of copies) expected.copyWithin(to * size, from * size, (from + 1) * size);
    return exact(cacheBits(subject, after), expected);
  },

  permute: ({ config, model, tensors }, { before, after }) => {
    const { hidden, squares } = model.sizes;
    const stride = 2 * hidden + squares;
    const stream = before.u32('stream');
    const permuted = after.u32('permuted');
    const ours: number[] = [];
    const expected: number[] = [];
    for (const [i, name] of ['gate', 'up'].entries()) {
      const order = tensors.quantized.get(`model.layers.0.mlp.${name}_proj.weight`)?.order() as Uint32Array;
      for (const row of range(rowsIn(before).length)) {
        for (const word of range(stride)) {
          const column = word - hidden;
          const to = column >= 0 && column < config.hiddenSize ? hidden + order[column] : word;
          ours.push(permuted[i * model.capacity * stride + row * stride + to]);
          expected.push(stream[row * stride + word]);
        }
      }
    }
    return exact(ours, expected);
  },

  embed: (subject, { before, after }) => {
    const width = subject.config.hiddenSize;
    const h = rowsIn(before).map(({ token }) =>
      subject.tensors.row('model.embed_tokens.weight', token, width),
    );
    return streamIs(subject, after, h, 'layers.0.input_layernorm', []);
  },

  qkv: (subject, { before, after }) => {
    const {
      numAttentionHeads: heads,
      numKeyValueHeads: kvHeads,
      headDim,
      hiddenSize,
      qkNorm,
    } = subject.config;
    const { keys, values } = pages(subject);
    const rows = rowsIn(before);
    const tables = before.u32('tables');
    // What is normed next is left as it is, and elsewhere.
    const left = heads + (qkNorm ? kvHeads : 0);
    const queries = after.f32(qkNorm ? 'projected' : 'queries');
    const cache = cached(subject, after);
    const checked = someRows(rows.length, (heads + 2 * kvHeads) * headDim * hiddenSize);
    const x = normed(subject, before, checked);
    const ours: number[][] = [];
    const expected: Float64Array[] = [];
    for (const head of some(heads + 2 * kvHeads, WORK / (headDim * hiddenSize * checked.length))) {
      const kind = head < heads ? 'q' : head < heads + kvHeads ? 'k' : 'v';
      const first = { q: head, k: head - heads, v: head - heads - kvHeads }[kind] * headDim;
      const y = products(subject, `model.layers.0.self_attn.${kind}_proj`, range(headDim, first), x);
      for (const [m, row] of checked.entries()) {
        const { position, valid, table } = rows[row];
        const turned = kind === 'v' || qkNorm ? y[m] : turn(subject, y[m], position);
        if (head < left) {
          ours.push(range(headDim).map((i) => queries[(row * left + head) * headDim + i]));
        } else if (position >= valid) {
          const page = tables[table + Math.floor(position / PAGE)];
          const { at } = kind === 'k' ? keys : values;
          const found = range(headDim).map((i) => cache[at(page, first / headDim, position % PAGE, i)]);
          ours.push(asKept(subject, found, turned));
        } else continue;
        expected.push(turned);
      }
    }
    const written = qkNorm ? [values] : [keys, values];
    return worst([compare(ours, expected, hiddenSize), othersStay(subject, before, after, rows, written)]);
  },

  'qk-norm': (subject, { before, after }) => {
    const { config, tensors } = subject;
    const { numAttentionHeads: heads, numKeyValueHeads: kvHeads, headDim, rmsNormEps } = config;
    const { keys } = pages(subject);
    const rows = rowsIn(before);
    const tables = before.u32('tables');
    const [projected, queries] = [before.f32('projected'), after.f32('queries')];
    const cache = cached(subject, after);
    const [q, k] = ['q', 'k'].map((kind) =>
      tensors.row(`model.layers.0.self_attn.${kind}_norm.weight`, 0, headDim),
    );
    const ours: number[][] = [];
    const expected: Float64Array[] = [];
    for (const [row, { position, valid, table }] of rows.entries()) {
      for (const head of range(heads + (position >= valid ? kvHeads : 0))) {
        const start = (row * (heads + kvHeads) + head) * headDim;
        const x = Float64Array.from(projected.subarray(start, start + headDim));
        const turned = turn(subject, rmsNorm(x, head < heads ? q : k, rmsNormEps), position);
        expected.push(turned);
        const page = tables[table + Math.floor(position / PAGE)];
        if (head < heads) {
          ours.push(range(headDim).map((i) => queries[(row * heads + head) * headDim + i]));
        } else {
          const found = range(headDim).map((i) => cache[keys.at(page, head - heads, position % PAGE, i)]);
          ours.push(asKept(subject, found, turned));
        }
      }
    }
    return worst([compare(ours, expected, headDim), othersStay(subject, before, after, rows, [keys])]);
  },

  attention: attends,
  'attention-merge': merges,

  project: (subject, { use, before, after }) => {
    const { config, model } = subject;
    const isDown = use === 'mlp.down_proj';
    const width = isDown ? config.intermediateSize : config.numAttentionHeads * config.headDim;
    const input = before.f32(isDown ? 'activation' : 'attention');
    const stride = isDown ? model.sizes.activated : model.sizes.attended;
    const count = rowsIn(before).length;
    const checked = someRows(count, config.hiddenSize * width);
    const outputs = some(config.hiddenSize, WORK / (width * checked.length));
    const x = checked.map((row) => Float64Array.from(input.subarray(row * stride, row * stride + width)));
    const y = products(subject, `model.layers.0.${use}`, outputs, x);
    const old = streams(subject, before, range(count));
    const now = streams(subject, after, range(count));
    const added = checked.map((row) => outputs.map((n) => now[row][n] - old[row][n]));
    const norm = isDown ? 'norm' : 'layers.0.post_attention_layernorm';
    return streamIs(subject, after, now, norm, [compare(added, y, width)]);
  },

  'gate-up': (subject, { before, after }) => {
    const { config, model } = subject;
    const { hiddenSize, intermediateSize } = config;
    const out = after.f32('activation');
    const checked = someRows(rowsIn(before).length, 2 * intermediateSize * hiddenSize);
    const outputs = some(intermediateSize, WORK / (2 * hiddenSize * checked.length));
    const x = normed(subject, before, checked);
    const gates = products(subject, 'model.layers.0.mlp.gate_proj', outputs, x);
    const ups = products(subject, 'model.layers.0.mlp.up_proj', outputs, x);
    const ours = checked.map((row) => outputs.map((n) => out[row * model.sizes.activated + n]));
    return compare(
      ours,
      gates.map((gate, m) => siluGate(gate, ups[m])),
      hiddenSize,
    );
  },

  'lm-head': (subject, { before, after }) => {
    const { hiddenSize, vocabSize, tieWordEmbeddings } = subject.config;
    const logits = after.f32('logits');
    const checked = someRows(rowsIn(before).length, vocabSize * hiddenSize);
    const outputs = some(vocabSize, WORK / (hiddenSize * checked.length));
    const name = tieWordEmbeddings ? 'model.embed_tokens' : 'lm_head';
    const expected = products(subject, name, outputs, normed(subject, before, checked));
    const ours = checked.map((row) => outputs.map((n) => logits[row * vocabSize + n]));
    return compare(ours, expected, hiddenSize);
  },

  summarise: summarised,
  draw: drawn,
};

/** Rows of a matrix times each of x, and their biases: [x][outputs]. */
function products(
  { tensors }: Subject,
  name: string,
  outputs: readonly number[],
  x: readonly Float64Array[],
): Float64Array[] {
  const y = x.map(() => new Float64Array(outputs.length));
  const biases = tensors.row(`${name}.bias`, 0, Math.max(...outputs) + 1);
  for (const [n, output] of outputs.entries()) {
    const w = tensors.row(`${name}.weight`, output, x[0].length);
    const bias = biases.subarray(output, output + 1);
    for (const [m, each] of x.entries()) y[m][n] = matvec(w, each, bias)[0];
  }
  return y;
}

/**
 * By speeds that the model's own table is made of: a table is no kernel's work, so what of it is wrong is so on every adapter, and
 * found by tests that hold it against transformers.
 */
function turn({ config }: Subject, heads: Float64Array, position: number): Float64Array {
  const turns = { speeds: rotaryFrequencies(config), length: rotaryLength(config) };
  return rotary(heads, position, config.headDim, turns);
}

/** Whether the stream holds h and what belongs to it for the norm that follows. */
function streamIs(
  subject: Subject,
  contents: Contents,
  h: readonly Float64Array[],
  norm: string,
  more: readonly Check[],
): Check {
  const stream = contents.f32('stream');
  const width = subject.config.hiddenSize;
  const g = subject.tensors.row(`model.${norm}.weight`, 0, width);
  const at = h.map((_, row) => places(subject, row));
  const scaled = at.map(({ scaled }) => stream.subarray(scaled, scaled + width));
  const squares = at.map(({ squares, end }) => sum(stream.subarray(squares, end)));
  return worst([
    compare(streams(subject, contents, range(h.length)), h, 1),
    compare(
      scaled,
      h.map((row) => row.map((value, i) => value * g[i])),
      1,
    ),
    compare([squares], [h.map((row) => row.reduce((total, value) => total + value * value, 0))], width),
    ...more,
  ]);
}

/** Whether the cache holds what it held but for the keys or values that these rows write, padded with zeros. */
function othersStay(
  subject: Subject,
  before: Contents,
  after: Contents,
  rows: readonly RowIn[],
  written: readonly Region[],
): Check {
  const tables = before.u32('tables');
  const [old, now] = [before, after].map((contents) => cacheBits(subject, contents));
  for (const { position, valid, table } of rows) {
    if (position < valid) continue;
    const page = tables[table + Math.floor(position / PAGE)];
    for (let head = 0; head < subject.config.numKeyValueHeads; head++) {
      for (const { all, at } of written) {
        for (const place of all(page, head, position % PAGE)) old[place] = 0; // the padding
        for (const i of range(subject.config.headDim)) {
          const place = at(page, head, position % PAGE, i);
          old[place] = now[place];
        }
      }
    }
  }
  return exact(now, old);
}

function cacheBits(subject: Subject, contents: Contents): Uint32Array {
  return new Uint32Array(cached(subject, contents).buffer).map(oneNaN);
}

/** What keys or values were before they were rounded to what is kept of them, as near to what is right as it can be. */
function asKept({ cache }: Subject, found: readonly number[], right: Float64Array): number[] {
  return cache.type === 'f32' ? [...found] : found.map((value, i) => unrounded(value, right[i]));
}
