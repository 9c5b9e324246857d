/** What comes of it. */
import { chart, pointOf } from '../chart.ts';
import type { Bench } from '../harness/device.ts';
import { short, show, table } from '../harness/figures.ts';
import type { ShapeName } from '../random-model.ts';
import { gb, OWN } from './memory.ts';
import type { Decode, Prefill } from './rates.ts';
import type { Starts } from './starts.ts';

export function roof(
  readPerToken: number,
  decode: readonly Decode[],
  read: { bytesPerSecond: number; source: string },
) {
  const single = decode.find(({ rows }) => rows === 1);
  const bytesPerSecond = single && readPerToken * single.tokensPerSecond.median;
  return {
    weightBytesPerToken: readPerToken,
    /** At one row and the shortest context. */
    weightBytesPerSecond: bytesPerSecond,
    readBytesPerSecond: read.bytesPerSecond,
    readMeasured: read.source,
    share: bytesPerSecond && bytesPerSecond / read.bytesPerSecond,
  };
}

interface Figures {
  shape: ShapeName;
  starts: { cold: Starts; warm: Starts };
  memory: {
    computed: { weights: number; cache: number };
    used: { weights: number; cache: number; scratch: number; allBuffers: number };
    residentBytes: number;
  };
  roofline: ReturnType<typeof roof>;
  prefill: Prefill[];
  decode: Decode[];
}

export function report({ starts, memory, roofline, prefill, decode }: Figures): void {
  console.log('medians, range in brackets; CPU time is that of the whole process\n');
  const startRow = (name: string, s: Starts) => [
    name,
    ...[s.adapterMs, s.buildMs, s.firstTokenMs, s.totalMs].map((ms) => show(ms)),
  ];
  const { cold, warm } = starts;
  console.log(
    table(
      ['start, ms', 'adapter', 'model', 'first token', 'in total'],
      [startRow('cold', cold), startRow('warm', warm)],
    ),
  );
  console.log();
  console.log(
    table(
      ['prefill', 'tokens/s', 'CPU-ms a token'],
      prefill.map((p) => [String(p.tokens), show(p.tokensPerSecond), show(p.cpuMsPerToken)]),
    ),
  );
  console.log();
  console.log(
    table(
      [
        'decode',
        'context',
        'tokens/s',
        'CPU-ms a token',
        'dispatches a step',
        'encode µs a token',
        'submit µs a token',
      ],
      decode.map((d) => [
        `${d.rows} row${d.rows > 1 ? 's' : ''}`,
        `${d.context}${d.own ? ', own' : ''}${d.synthetic ? ', synthetic' : ''}`,
        show(d.tokensPerSecond),
        show(d.cpuMsPerToken),
        short(d.dispatchesPerStep),
        show(d.encodeMsPerToken, 1e-3),
        show(d.submitMsPerToken, 1e-3),
      ]),
    ),
  );
  const { computed, used } = memory;
  console.log(
    `\nmemory, MB: weights ${mb(used.weights)} (${mb(computed.weights)} computed from the shape), cache ${mb(used.cache)} (${mb(computed.cache)}), ` +
      `activations ${mb(used.scratch)}; all buffers ${mb(used.allBuffers)}; process ${mb(memory.residentBytes)}`,
  );
  const { weightBytesPerToken, weightBytesPerSecond, share, readBytesPerSecond, readMeasured } = roofline;
  if (weightBytesPerSecond && share) {
    console.log(
      `weights read a token: ${mb(weightBytesPerToken)} MB, at one row ${gb(weightBytesPerSecond)} GB/s: ` +
        `${short(100 * share)} % of the ${gb(readBytesPerSecond)} GB/s the adapter reads (${readMeasured})`,
    );
  }
}

const mb = (bytes: number) => short(bytes / 1e6);

export function draw({ environment }: Bench, { shape, prefill, decode }: Figures): string {
  const contexts = [...new Set(decode.filter(({ own }) => !own).map(({ context }) => context))];
  const series = contexts.map((context) => {
    const of = decode.filter((d) => d.context === context && !d.own);
    return {
      name: `${context} before${of[0].synthetic ? ' *' : ''}`,
      points: of.map((d) => pointOf(d.rows, d.tokensPerSecond)),
    };
  });
  const own = decode.filter((d) => d.own);
  if (own.length > 0) {
    const points = own.map((d) => pointOf(d.rows, d.tokensPerSecond));
    series.push({ name: `${OWN.context}, own`, points });
  }
  const panel = { yLabel: 'tokens a second', logX: true };
  const prefilled = prefill.map((p) => pointOf(p.tokens, p.tokensPerSecond));
  return chart(
    `Decoding and prefill, shape ${shape}, random weights`,
    [
      { ...panel, xLabel: 'rows decoded together', series },
      { ...panel, xLabel: 'tokens of the prompt', series: [{ name: 'prefill', points: prefilled }] },
    ],
    `${environment.adapter.description}. Medians, bars as long as the middle half.${decode.some((d) => d.synthetic) ? ' * keys and values of the context are random numbers.' : ''}`,
  );
}
