import { DEFAULT_GROUP, type QuantizeOptions, quantizeOf } from '../api/quantize.ts';
import { type OptionSpec, type Parsed, value, whole } from './args.ts';

type Names = 'quantize' | 'quantize-head' | 'quantize-group';

export const QUANTIZE_OPTIONS: Readonly<Record<Names, OptionSpec>> = {
  quantize: {
    value: 'CODE',
    help: 'round the weights to int8 or int4 as they are read, embedding and head\nto int8 (default: they stay as they are)',
  },
  'quantize-head': {
    value: 'CODE',
    help: 'round embedding and head alone, to int8, of a quantised model too',
  },
  'quantize-group': {
    value: 'N',
    help: `neighbouring columns with one scale: 32, 64 or 128 (default: ${DEFAULT_GROUP})`,
  },
};

/** @throws OptionError */
export function chosenQuantize(parsed: Parsed): QuantizeOptions {
  const group = value(parsed, 'quantize-group');
  const options = {
    quantize: value(parsed, 'quantize'),
    quantizeHead: value(parsed, 'quantize-head'),
    quantizeGroup: group === undefined ? undefined : whole('--quantize-group', group),
  } as QuantizeOptions;
  quantizeOf(options, {});
  return options;
}
