import { abacus } from '../api/abacus.ts';
import { withModelDefaults } from '../api/generate.ts';
import { ModelFolder } from '../checkpoint/model-folder.ts';
import { Gpu } from '../gpu/device.ts';
import { type KernelCheck, selfTest } from '../selftest/self-test.ts';
import { refuseWrong } from '../selftest/trusted.ts';
import { type Parsed, value } from './args.ts';
import { type Command, type Io, MODEL_OPTIONS, openFolder, openModel, sayAdapter } from './command.ts';
import { adapterText, bytes, table } from './format.ts';

const PROMPT = 256;

export const infoCommand: Command = {
  usage: '[options]',
  notes: `The memory is that of \`egps generate\` with the defaults of the model and a prompt of ${PROMPT} tokens.
--self-test takes seconds, and minutes where a software driver has to compile the kernels first. It exits with 1
if a kernel is WRONG: further from float64 than its bound, in root mean squares of its outputs.
`,
  options: {
    ...MODEL_OPTIONS,
    'self-test': {
      help: 'check all kernels against float64 instead, in the sizes of the model and in odd ones',
    },
  },

  async run(parsed, io) {
    if (parsed.flags.has('self-test')) return testKernels(parsed, io);
    const folder = await openFolder(value(parsed, 'model'));
    const options = withModelDefaults(folder.defaults, {});
    const model = await openModel(folder, PROMPT + options.maxNewTokens, parsed, io);
    try {
      const { adapter, config, memory } = model;
      const limits = Object.entries(adapter.limits).sort(([a], [b]) => (a < b ? -1 : 1));
      const { weights, cache, scratch } = memory;
      const lines: [string, string][] = [
        ['model', folder.dir],
        ...Object.entries(config).map(([name, value]): [string, string] => [`  ${name}`, plain(value)]),
        ['tokenizer', model.tokenizer ? `${model.tokenizer.vocabSize} tokens` : 'none: token ids only'],
        ['egps.json', ''],
        ...Object.entries(folder.defaults).map(([name, value]): [string, string] => [
          `  ${name}`,
          plain(value),
        ]),
        ['memory', bytes(weights + cache + scratch)],
        ['  weights', bytes(weights)],
        ['  cache', `${bytes(cache)} for ${model.cachePositions} positions`],
        ['  scratch', bytes(scratch)],
        ['adapter', adapterText(adapter)],
        ['  vendor', adapter.vendor || 'not told'],
        ['  architecture', adapter.architecture || 'not told'],
        ['subgroups', adapter.subgroups ? 'used' : 'not used'],
        ['features', adapter.features.join(', ') || 'none'],
        ['limits', ''],
        ...limits.map(([name, value]): [string, string] => [`  ${name}`, String(value)]),
      ];
      const width = Math.max(...lines.map(([name]) => name.length));
      io.out(
        lines
          .map(([name, value]) => `${name.padEnd(width)}  ${value}`.trimEnd())
          .join('\n')
          .concat('\n'),
      );
    } finally {
      model.dispose();
    }
  },
};

async function testKernels(parsed: Parsed, io: Io): Promise<void> {
  const folder = await ModelFolder.open(value(parsed, 'model') ?? abacus, io.signal);
  await folder.close();
  const { config, tensors } = folder;
  const gpu = await Gpu.open({
    adapter: value(parsed, 'adapter'),
    requireGpu: parsed.flags.has('require-gpu'),
  });
  try {
    sayAdapter(gpu.adapter, io);
    const checks = await selfTest(gpu, { config, dtypeOf: (name) => tensors.get(name)?.dtype ?? 'F32' });
    io.out(`${checkTable(checks)}\n`);
    refuseWrong(gpu, checks);
  } finally {
    gpu.dispose();
  }
}

export function checkTable(checks: readonly KernelCheck[]): string {
  const short = (x: number) => (x === 0 ? '0' : x.toExponential(1));
  const rows = checks.map(({ kernel, form, error, bound, right }) => [
    kernel,
    form,
    short(error),
    short(bound),
    right ? 'ok' : 'WRONG',
  ]);
  return table([['kernel', 'form', 'error', 'bound', ''], ...rows], [false, false, true, true, false]);
}

function plain(value: unknown): string {
  if (value instanceof Set) return [...value].join(', ');
  if (Array.isArray(value)) return value.join(', ');
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value);
}
