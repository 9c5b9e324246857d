import { PAGE } from '../cache/kv-cache.ts';
import type { Profile } from '../engine/profile.ts';
import { value, whole } from './args.ts';
import { type Command, MODEL_OPTIONS, openFolder, openModel } from './command.ts';
import { adapterText, table } from './format.ts';

const REPEATS = 15;

export const profileCommand: Command = {
  usage: '[options]',
  notes: `Measures ${REPEATS} passes of decoding after one that warms up. Each row has a sequence of its own. The
adapter needs timestamp queries.
`,
  options: {
    ...MODEL_OPTIONS,
    rows: { value: 'R', help: 'rows of the pass (default: 1)' },
    context: { value: 'C', help: 'positions of each row (default: 128)' },
  },

  async run(parsed, io) {
    const [rows, context] = [
      whole('--rows', value(parsed, 'rows') ?? '1'),
      whole('--context', value(parsed, 'context') ?? '128'),
    ];
    const folder = await openFolder(value(parsed, 'model'));
    const model = await openModel(folder, rows * (context + PAGE), parsed, io);
    try {
      const profile = await model.profile(rows, context, REPEATS);
      io.out(
        `decoding, ${rows} row(s) of ${context} positions\n\n${profileTable(profile)}\non ${adapterText(model.adapter)}\n`,
      );
    } finally {
      model.dispose();
    }
  },
};

export function profileTable({ kernels, whole, tick }: Profile): string {
  const total = whole.map((_, i) => kernels.reduce((sum, { seconds }) => sum + seconds[i], 0));
  const all = median(total);
  const rows = kernels.map(({ kernel, use, dispatches, seconds }) => [
    kernel,
    use,
    String(dispatches),
    micro(median(seconds) / dispatches),
    `${((100 * median(seconds)) / all).toFixed(1)} %`,
  ]);
  const head = ['kernel', 'for', 'dispatches', 'µs each', 'of the pass'];
  const spread = (x: readonly number[]) =>
    `${micro(median(x))} µs (${micro(Math.min(...x))} to ${micro(Math.max(...x))})`;
  return [
    table([head, ...rows], [false, false, true, true, true]),
    '',
    `all kernels: ${spread(total)}`,
    `the pass undivided: ${spread(whole)}`,
    `medians of ${whole.length} passes, the range in brackets; the clock ticks every ${Math.round(tick * 1e9)} ns`,
  ].join('\n');
}

const micro = (seconds: number) => (1e6 * seconds).toFixed(1);

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}
