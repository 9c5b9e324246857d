import { SPAN } from '../model/operations.ts';
import type { LanguageModel } from './language-model.ts';

const SHARPENING = { alpha: 4, temperature: 0.25 };

/**
 * Runs every kernel that sampling runs, once and on next to nothing: some drivers compile a kernel when it runs first, which takes them
 * seconds. There are kernels for one, two, four, … rows, and others for rows of more than one span of the attention, which forks have
 * in common; the forks make copies of their last page.
 */
export async function warmUp(model: LanguageModel, signal?: AbortSignal): Promise<void> {
  for (const length of [1, Math.min(SPAN + 1, model.contextLength - 1)]) {
    for (let rows = 1; rows <= model.tile; rows *= 2) {
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
