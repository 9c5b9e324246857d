import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { rotations } from '../../reference/rotations.ts';
import { CheckpointError, UnsupportedModelError } from '../../src/base/errors.ts';
import { parseConfig, tensorShapes } from '../../src/checkpoint/config.ts';
import { slides } from '../../src/checkpoint/window.ts';
import { rotaryFrequencies, rotaryTable } from '../../src/model/rotary.ts';
import { failure } from '../support/folder.ts';
import { test } from '../support/suite.ts';

/** See make_families.py. */
interface Reading {
  config: Record<string, unknown>;
  error?: string;
  frequencies: number[];
  length: number;
  windows: (number | null)[];
  keyValueHeads: number;
  headDim: number;
  biases: string[];
}
const READINGS: Reading[] = JSON.parse(readFileSync('test/fixtures/families.json', 'utf8'));

/** What of a config differs from one case to another, for the names of tests. */
function title({ config }: Reading): string {
  const usual =
    /^(vocab_size|hidden_size|intermediate_size|num_hidden_layers|rms_norm_eps|max_position_embeddings)$/;
  return JSON.stringify(Object.fromEntries(Object.entries(config).filter(([key]) => !usual.test(key))));
}

const near = (actual: number, expected: number) =>
  assert.ok(Math.abs(actual - expected) <= 1e-13 * Math.abs(expected), `${actual}, not ${expected}`);

for (const reading of READINGS.filter(({ error }) => !error)) {
  test(`a config means what it means to transformers: ${title(reading)}`, () => {
    const config = parseConfig(reading.config, 'f');
    const { speeds, length } = rotations(config);
    for (const found of [rotaryFrequencies(config), [...speeds]]) {
      assert.is(found.length, reading.frequencies.length);
      for (const [i, frequency] of reading.frequencies.entries()) near(found[i], frequency);
    }
    near(length, reading.length);
    const table = rotaryTable(2, config).subarray(config.headDim); // of position 1
    const turns = reading.frequencies.flatMap((angle) => [Math.cos(angle), Math.sin(angle)]);
    for (const [i, turn] of turns.entries()) near(table[i], Math.fround(reading.length * turn));

    const { slidingWindow, numHiddenLayers } = config;
    const windows = Array.from({ length: numHiddenLayers }, (_, i) =>
      slidingWindow && slides(slidingWindow, i) ? slidingWindow.size : null,
    );
    assert.equal(windows, reading.windows);
    assert.equal([config.numKeyValueHeads, config.headDim], [reading.keyValueHeads, reading.headDim]);
    const biases = [...tensorShapes(config).keys()].flatMap(
      (name) => /^model\.layers\.0\.(.*bias)$/.exec(name)?.[1] ?? [],
    );
    assert.equal(biases.sort(), reading.biases);
  });
}

for (const reading of READINGS.filter(({ error }) => error)) {
  test(`what transformers refuses is refused: ${title(reading)}`, async () => {
    const unknown = (reading.config.layer_types as string[]).includes('sliding');
    const kind = unknown ? UnsupportedModelError : CheckpointError;
    await failure<Error>(kind, /layer_types"? (is|has)/, () => parseConfig(reading.config, 'f'));
  });
}

test.run();
