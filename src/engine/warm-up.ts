import type { ModelConfig } from '../checkpoint/config.ts';
import { SPAN } from '../model/operations.ts';
import type { LanguageModel } from './language-model.ts';

const SHARPENING = { alpha: 4, temperature: 0.25 };

/**
 * Runs every kernel that sampling runs, once and on next to nothing: some drivers compile a kernel when it runs first, which takes them
 * seconds. There are kernels for one, two, four, … rows, and others for rows of more than one span of the attention, which forks
 * have in common; the forks make copies of their last page. And there are those for rows longer than a sliding window.
 * @param positions of the longest sequence that will be computed: what is beyond a window of more than that need not be warm
 */
export async function warmUp(
  model: LanguageModel & { readonly config?: Pick<ModelConfig, 'slidingWindow'> },
  positions: number,
  signal?: AbortSignal,
): Promise<void> {
  const window = model.config?.slidingWindow?.size ?? Number.POSITIVE_INFINITY;
  const lengths = [1, Math.min(SPAN + 1, model.contextLength - 1)].map((length) => [length, model.tile]);
  if (window < Math.min(positions, model.contextLength)) lengths.push([window, 1]);
  for (const [length, most] of lengths) {
    for (let rows = 1; rows <= most; rows *= 2) {
      signal?.throwIfAborted();
      const prompt = await model.prefill(new Uint32Array(length));
      const forks = Array.from({ length: rows }, () => prompt.fork());
      await model.compute(
        forks.map((sequence) => ({ sequence, position: length, tokens: [0], sharpening: SHARPENING })),
      );
      for (const sequence of [prompt, ...forks]) sequence.free();
    }
  }
}
