import { writeFile } from 'node:fs/promises';
import { encodePrompt } from '../api/prompt.ts';
import { OptionError, OutputError } from '../base/errors.ts';
import { encodeSafetensors } from '../checkpoint/encode-safetensors.ts';
import type { Activation } from '../engine/activations.ts';
import { tokenIds, value, whole } from './args.ts';
import { type Command, MODEL_OPTIONS, openFolder, openModel, readText } from './command.ts';
import { table } from './format.ts';

/** First values of a row of the table. */
const SHOWN = 4;

export const debugCommand: Command = {
  usage: '--layer N [options] [TEXT]',
  notes: `The names are those of the modules in transformers: NAME.input is what goes into a module, NAME.output what
comes out. Without TEXT the text is read from standard input, less its last line feed. The file of --out holds
f32 tensors [positions, width] by these names, and in its metadata the token ids; docs/debugging.md compares it
with transformers.
`,
  options: {
    ...MODEL_OPTIONS,
    layer: { value: 'N', help: 'the layer, from 0' },
    position: { value: 'P', help: 'this position alone, from 0 (default: all positions of the text)' },
    tokens: { value: 'IDS', help: 'token ids, as in 1,2,3, instead of a text' },
    out: { value: 'FILE', help: 'write the activations to FILE, as safetensors' },
  },

  async run(parsed, io) {
    const [layer, position] = ['layer', 'position'].map((name) => {
      const text = value(parsed, name);
      return text === undefined ? undefined : whole(`--${name}`, text);
    });
    const list = value(parsed, 'tokens');
    if (layer === undefined) throw new OptionError('--layer is missing: which layer, from 0?');
    if (list !== undefined && parsed.words.length > 0) {
      throw new OptionError('--tokens and TEXT exclude each other');
    }
    const typed = list === undefined ? undefined : tokenIds('--tokens', list);
    const folder = await openFolder(parsed, io);
    const layers = folder.config.numHiddenLayers;
    if (layer >= layers) {
      throw new OptionError(`--layer is ${layer}: the model has ${layers} layers, 0 to ${layers - 1}`);
    }
    const ids = encodePrompt(folder.tokenizer, typed ?? (await readText(parsed.words, 'text', io)));
    if (position !== undefined && position >= ids.length) {
      throw new OptionError(`--position is ${position}: the text has ${ids.length} tokens, from 0 on`);
    }
    const model = await openModel(folder, ids.length, parsed, io);
    try {
      let activations = await model.activations(ids, layer);
      if (position !== undefined) activations = activations.map((activation) => rowOf(activation, position));
      const out = value(parsed, 'out');
      if (out !== undefined) await write(out, activations, ids);
      io.out(`${activationTable(activations)}\n`);
    } finally {
      model.dispose();
    }
  },
};

function rowOf({ name, shape: [, width], values }: Activation, row: number): Activation {
  return { name, shape: [1, width], values: values.slice(row * width, (row + 1) * width) };
}

async function write(file: string, activations: readonly Activation[], ids: Uint32Array): Promise<void> {
  const tensors = activations.map(({ name, shape, values }) => {
    return { name, shape, dtype: 'F32' as const, data: new Uint8Array(values.buffer) };
  });
  try {
    await writeFile(file, encodeSafetensors(tensors, { tokens: ids.join(',') }));
  } catch (error) {
    throw new OutputError(file, (error as Error).message);
  }
}

/** Of the finite values, and how many are not. */
export function activationTable(activations: readonly Activation[]): string {
  const cell = (x: number) => x.toPrecision(4);
  const rows = activations.map(({ name, shape, values }) => {
    const finite = values.filter(Number.isFinite);
    const mean = finite.reduce((sum, x) => sum + x, 0) / finite.length;
    const rms = Math.sqrt(finite.reduce((sum, x) => sum + x * x, 0) / finite.length);
    const [min, max] = [
      finite.reduce((a, b) => Math.min(a, b), Infinity),
      finite.reduce((a, b) => Math.max(a, b), -Infinity),
    ];
    const first = Array.from(values.subarray(0, SHOWN), cell).join(' ');
    return [
      name,
      shape.join('×'),
      ...[mean, rms, min, max].map(cell),
      String(values.length - finite.length),
      first,
    ];
  });
  const head = ['name', 'shape', 'mean', 'rms', 'min', 'max', 'not finite', 'first values'];
  return table([head, ...rows], [false, true, true, true, true, true, true, false]);
}
