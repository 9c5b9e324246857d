import { OptionError } from '../base/errors.ts';
import { show } from '../base/show.ts';
import type { Parts, Quantize } from '../model/weight-layout.ts';

/** Which of a checkpoint's plain weights become codes when they are loaded. */
export interface QuantizeOptions {
  /** Matrices of the layers; embedding and head become int8. A checkpoint that is quantised already is refused. */
  quantize?: 'int8' | 'int4';
  /** Embedding and head, where they are plain; the layers stay as they are. */
  quantizeHead?: 'int8';
  /** Neighbouring columns of a matrix with one scale; where it does not divide the columns, the last group has fewer. Default 64. */
  quantizeGroup?: 32 | 64 | 128;
}

/** @internal */
export const GROUPS = [32, 64, 128] as const;
/** @internal */
export const DEFAULT_GROUP = 64;

/** @throws OptionError @internal */
export function quantizeOf(
  { quantize, quantizeHead, quantizeGroup }: QuantizeOptions,
  { quantized }: Pick<Parts, 'quantized'>,
): Quantize | undefined {
  oneOf('quantize', quantize, ['int8', 'int4']);
  oneOf('quantizeHead', quantizeHead, ['int8']);
  oneOf('quantizeGroup', quantizeGroup, GROUPS);
  if (quantize === undefined && quantizeHead === undefined) {
    if (quantizeGroup === undefined) return undefined;
    throw new OptionError(`quantizeGroup is ${quantizeGroup}: nothing is to be quantised`);
  }
  if (quantize !== undefined && quantized && quantized.size > 0) {
    const [[name, { code }]] = quantized;
    throw new OptionError(
      `quantize is ${show(quantize)}: the checkpoint is quantised already, ${name} and ${quantized.size - 1} more (${code})`,
    );
  }
  return { layers: quantize, head: quantizeHead, group: quantizeGroup ?? DEFAULT_GROUP };
}

function oneOf(option: string, value: unknown, known: readonly unknown[]): void {
  if (value === undefined || known.includes(value)) return;
  throw new OptionError(`${option} is ${show(value)}: one of ${known.map(show).join(', ')}`);
}
