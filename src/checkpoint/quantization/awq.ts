import { FLOATS, readScales, roundingOf } from './parameters.ts';
import { divides, find, need, type Quantization, type StoredMatrix, type Weight } from './quantization.ts';
import type { Settings } from './settings.ts';
import { Skipped } from './skipped.ts';
import { awqCodes, transpose } from './unpack.ts';

/** AWQ in the layout for matrix products, as AutoAWQ writes it. @throws CheckpointError, UnsupportedModelError */
export function parseAwq(settings: Settings): Quantization {
  const key = ['version', 'checkpoint_format'].find((each) => settings.has(each)) ?? 'format';
  settings.oneOf(key, ['gemm'], 'gemm');
  settings.oneOf('bits', [4]);
  settings.flag('zero_point', true); // they are stored in any case
  settings.fixed('desc_act', false);
  for (const other of ['adapter', 'rotation', 'dynamic']) settings.fixed(other, null);
  const group = settings.groupSize('group_size', 128);
  const skipped = new Skipped(settings, 'modules_to_not_convert');
  return {
    ignored: [],
    of(weight) {
      const isPacked = find(weight, 'qweight') !== undefined;
      const isMeant = weight.module.startsWith('model.layers.');
      if (!isPacked && (!isMeant || skipped.mayBe(weight.module))) return undefined;
      if (isPacked) skipped.mustNotBe(weight, 'qweight');
      return storedMatrix(weight, group ?? weight.columns);
    },
  };
}

function storedMatrix(weight: Weight, group: number): StoredMatrix {
  const { rows, columns } = weight;
  const claim = { weight, says: `AWQ, 4 bits in groups of ${group},` };
  divides(claim, 'scales', group, columns, 'columns');
  divides(claim, 'qweight', 8, rows, 'rows');
  const groups = columns / group;
  const qweight = need(claim, 'qweight', ['I32'], [columns, rows / 8]);
  const qzeros = need(claim, 'qzeros', ['I32'], [groups, rows / 8]);
  const scales = need(claim, 'scales', FLOATS, [groups, rows]);
  return {
    code: 'int4',
    group,
    rounding: roundingOf(scales),
    hasZeros: true,
    hasOrder: false,
    tensors: [qweight, qzeros, scales],
    async parameters(read) {
      const values = await readScales(scales, read);
      return {
        scales: transpose(values, groups, rows, new Float32Array(values.length)),
        zeros: awqCodes(await read(qzeros), rows, groups),
      };
    },
    codes: async (read) => awqCodes(await read(qweight), rows, columns),
  };
}
