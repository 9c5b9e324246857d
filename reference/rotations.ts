import type { ModelConfig } from '../src/checkpoint/config.ts';
import type { Rotations } from '../src/selftest/float64.ts';

/** By the formulas of the papers; `i` counts pairs of dimensions. */
export function rotations({
  headDim,
  ropeTheta,
  ropeScaling,
}: ModelConfig): Rotations & { readonly speeds: Float64Array } {
  const speeds = Float64Array.from({ length: headDim / 2 }, (_, i) => ropeTheta ** ((-2 * i) / headDim));
  switch (ropeScaling?.type) {
    case undefined:
      return { speeds, length: 1 };
    case 'linear':
      return { speeds: speeds.map((speed) => speed / ropeScaling.factor), length: 1 };
    case 'llama3': {
      const { factor, lowFreqFactor, highFreqFactor, originalPositions } = ropeScaling;
      const slow = speeds.map((speed) => {
        const wave = (2 * Math.PI) / speed; // positions
        if (wave < originalPositions / highFreqFactor) return speed;
        if (wave > originalPositions / lowFreqFactor) return speed / factor;
        const smooth = (originalPositions / wave - lowFreqFactor) / (highFreqFactor - lowFreqFactor);
        return (1 - smooth) * (speed / factor) + smooth * speed;
      });
      return { speeds: slow, length: 1 };
    }
    case 'yarn': {
      const { factor, attentionFactor, betaFast, betaSlow, truncate, originalPositions } = ropeScaling;
      const pair = (turns: number) =>
        ((headDim / 2) * Math.log(originalPositions / (2 * Math.PI * turns))) / Math.log(ropeTheta);
      let low = pair(betaFast);
      let high = pair(betaSlow);
      if (truncate) [low, high] = [Math.floor(low), Math.ceil(high)];
      low = Math.max(low, 0);
      high = Math.min(high, headDim - 1);
      if (low === high) high += 0.001;
      const slow = speeds.map((speed, i) => {
        const ramp = Math.min(Math.max((i - low) / (high - low), 0), 1);
        return ramp * (speed / factor) + (1 - ramp) * speed;
      });
      return { speeds: slow, length: attentionFactor };
    }
  }
}
