import { OptionError } from '../base/errors.ts';
import { show } from '../base/show.ts';

/** What keys and values are kept in. */
export type KvType = 'f32' | 'bf16';

/** @throws OptionError for anything but a type or nothing @internal */
export function kvTypeOf(asked: unknown, option = 'kvCache'): KvType {
  if (asked === undefined || asked === 'f32') return 'f32';
  if (asked === 'bf16') return asked;
  throw new OptionError(`${option} is ${show(asked)}: f32 or bf16`);
}
