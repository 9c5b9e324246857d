import { CheckpointError, UnsupportedModelError } from '../base/errors.ts';
import { show } from '../base/show.ts';
import { INT32_MAX, isCount } from './ranges.ts';

/** What the layers that do not attend to the whole prefix attend to. */
export interface SlidingWindow {
  /** Positions, the query's own included. */
  readonly size: number;
  /** The first layer that slides, as do all after it; or of each layer whether it does. */
  readonly layers: number | readonly boolean[];
}

/** Whether a layer does. @internal */
export function slides({ layers }: SlidingWindow, layer: number): boolean {
  return typeof layers === 'number' ? layer >= layers : layers[layer];
}

const FULL = 'full_attention';
const SLIDING = 'sliding_attention';
/** What transformers takes where a key is absent, which null is not. */
const SIZE = 4096;
const FIRST_LAYER = 28;

/** @throws CheckpointError, UnsupportedModelError @internal */
export function parseWindow(
  json: Record<string, unknown>,
  modelType: string,
  layers: number,
  file: string,
): SlidingWindow | null {
  const wrong = (key: string, allowed: string) =>
    new CheckpointError(file, `${key} is ${show(json[key])}: ${allowed}`);
  const types = json.layer_types ?? undefined;
  if (types !== undefined && (!Array.isArray(types) || types.length !== layers))
    throw wrong('layer_types', `a list of num_hidden_layers (${layers}) entries`);
  const other = types?.find((type) => type !== FULL && type !== SLIDING);
  if (other !== undefined)
    throw new UnsupportedModelError('layer_types', other, `${show(FULL)} or ${show(SLIDING)}`);
  const use = json.use_sliding_window ?? undefined;
  if (use !== undefined && typeof use !== 'boolean') throw wrong('use_sliding_window', 'true or false');

  const { sliding_window: size = SIZE, max_window_layers: first = FIRST_LAYER } = json;
  const mistral = modelType === 'mistral'; // has no switch: all of its layers slide, or none
  const on = size !== null && (mistral || use === true);
  let sliding: SlidingWindow['layers'] = 0;
  if (mistral) {
    const type = types?.find((type) => type !== (on ? SLIDING : FULL));
    if (type !== undefined)
      throw new UnsupportedModelError('layer_types', type, `${show(on ? SLIDING : FULL)} alone`);
    if (use !== undefined && use !== on) throw new UnsupportedModelError('use_sliding_window', use, `${on}`);
  } else if (types) {
    sliding = types.map((type) => type === SLIDING);
    if (!sliding.includes(true)) return null;
    if (!on) {
      const { use_sliding_window, sliding_window } = json;
      const none = `use_sliding_window is ${show(use_sliding_window)}, sliding_window ${show(sliding_window)}`;
      throw new CheckpointError(file, `layer_types has ${show(SLIDING)}, but ${none}: there is no window`);
    }
  } else if (on) {
    if (!isCount(first)) throw wrong('max_window_layers', `a whole number from 0 to ${INT32_MAX}`);
    sliding = first;
    if (first >= layers) return null;
  }
  if (!on) return null;
  if (!isCount(size) || size === 0) throw wrong('sliding_window', `a whole number from 1 to ${INT32_MAX}`);
  if (modelType === 'llama')
    throw new UnsupportedModelError(
      types ? 'layer_types' : 'use_sliding_window',
      types ? SLIDING : use,
      'none',
    );
  return { size, layers: sliding };
}
