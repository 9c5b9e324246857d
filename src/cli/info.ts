import { abacus } from '../api/abacus.ts';
import { withModelDefaults } from '../api/generate.ts';
import { ANY_GPU, MemoryPlan } from '../api/memory.ts';
import { loadDefaults } from '../api/model-defaults.ts';
import { type QuantizeOptions, quantizeOf } from '../api/quantize.ts';
import { AdapterError, OptionError } from '../base/errors.ts';
import type { ModelConfig } from '../checkpoint/config.ts';
import { ModelFolder } from '../checkpoint/model-folder.ts';
import type { QuantizedShape } from '../checkpoint/quantized.ts';
import type { TensorInfo } from '../checkpoint/safetensors.ts';
import type { AdapterChoice } from '../gpu/adapter.ts';
import { type AdapterDescription, Gpu } from '../gpu/device.ts';
import { findModel } from '../hub/find.ts';
import { type LocalModel, RemoteModel } from '../hub/remote-model.ts';
import { type ModelDefaults, modelDefaults } from '../sampling/options.ts';
import { type KernelCheck, selfTest } from '../selftest/self-test.ts';
import { refuseWrong } from '../selftest/trusted.ts';
import { chosenAdapter, lookAtAdapter, sayAdapter } from './adapter.ts';
import { number, type Parsed, value } from './args.ts';
import { type Command, chosenKvType, MODEL_OPTIONS, positionsFor, warn } from './command.ts';
import { fetchLine } from './fetch.ts';
import { adapterText, bytes, table } from './format.ts';
import type { Io } from './io.ts';
import { chosenQuantize } from './quantize.ts';

const PROMPT = 256;
const GB = 1e9;

type Line = readonly [name: string, value: string];

export const infoCommand: Command = {
  usage: '[options]',
  notes: `Reads the configuration and the headers of the weights, of a model on the Hub too: nothing is fetched and
nothing is allocated. The memory is that of \`egps generate\` with the defaults of the model and a prompt of
${PROMPT} tokens. With --memory: the positions of the largest cache with which the model fits into so much, and how
many chains behind that prompt they hold.
--self-test takes seconds, and minutes where a software driver has to compile the kernels first. It exits with 1
if a kernel is WRONG: further from float64 than its bound, in root mean squares of its outputs.
`,
  options: {
    ...MODEL_OPTIONS,
    memory: { value: 'GB', help: 'show what fits into so much memory' },
    'self-test': {
      help: 'check all kernels against float64 instead, in the sizes of the model and in odd ones',
    },
  },

  async run(parsed, io) {
    if (parsed.flags.has('self-test')) return testKernels(parsed, io);
    const typed = value(parsed, 'memory');
    const kvType = chosenKvType(parsed);
    const limit = typed === undefined ? undefined : number('--memory', typed) * GB;
    if (limit !== undefined && limit <= 0) throw new OptionError(`--memory is ${typed}: more than 0`);
    const model = await look(value(parsed, 'model') ?? abacus, io.signal);
    const { adapter, why } = await openedAdapter(chosenAdapter(parsed), io);
    warn(model.warnings, io);
    const { maxNewTokens } = withModelDefaults(model.defaults, {});
    const chosen = chosenQuantize(parsed);
    const planFor = (options: QuantizeOptions) =>
      MemoryPlan.of(model.config, model, adapter ?? ANY_GPU, undefined, quantizeOf(options, model), kvType);
    const plan = await planFor(chosen);
    const others: [name: string, plan: MemoryPlan][] = [];
    for (const { name, options } of quantizations(model, chosen)) others.push([name, await planFor(options)]);
    const lines = [
      ...modelLines(model),
      ...memoryLines(plan, others, model, PROMPT + maxNewTokens),
      ...(limit === undefined ? [] : [fitLine(plan, limit, maxNewTokens)]),
      ...adapterLines(adapter, why),
    ];
    const width = Math.max(...lines.map(([name]) => name.length));
    io.out(lines.map(([name, value]) => `${name.padEnd(width)}  ${value}`.trimEnd().concat('\n')).join(''));
  },
};

/** What is known of a model whose weights are not read. */
interface Known {
  readonly where: readonly Line[];
  readonly config: ModelConfig;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly quantized: ReadonlyMap<string, QuantizedShape>;
  readonly defaults: ModelDefaults;
  readonly tokenizer: string;
  readonly warnings: readonly string[];
}

async function look(model: string, signal: AbortSignal): Promise<Known> {
  const found = await findModel(model, signal);
  return found instanceof RemoteModel ? lookRemote(found) : lookHere(found, signal);
}

function lookRemote(model: RemoteModel): Known {
  const { config, tensors, quantized, hasTokenizer, defaults } = model.description;
  return {
    where: [
      ['model', model.name],
      ['  commit', model.commit],
      ['  download', fetchLine(model)],
    ],
    config,
    tensors,
    quantized,
    defaults: defaults === undefined ? {} : modelDefaults(`${model.name}/egps.json`, defaults),
    tokenizer: hasTokenizer ? 'on the Hub' : NO_TOKENIZER,
    warnings: [],
  };
}

async function lookHere({ dir, warnings: found }: LocalModel, signal: AbortSignal): Promise<Known> {
  const folder = await ModelFolder.open(dir, signal);
  await folder.close();
  const { config, tensors, quantized, tokenizer } = folder;
  const warnings = [...found, ...folder.warnings];
  return {
    where: [['model', dir]],
    config,
    tensors,
    quantized,
    defaults: await loadDefaults(dir, (message) => warnings.push(message)),
    tokenizer: tokenizer ? `${tokenizer.vocabSize} tokens` : NO_TOKENIZER,
    warnings,
  };
}

const NO_TOKENIZER = 'none: token ids only';

/** The adapter, or why there is none: a model can be looked at without one, unless a certain one is asked for. */
async function openedAdapter(
  choice: AdapterChoice,
  io: Io,
): Promise<{ adapter?: AdapterDescription; why: string }> {
  try {
    return { adapter: await lookAtAdapter(choice, io), why: '' };
  } catch (error) {
    const isAsked = choice.adapter !== undefined || choice.requireGpu;
    if (error instanceof AdapterError && !isAsked) return { why: error.message };
    throw error;
  }
}

function adapterLines(adapter: AdapterDescription | undefined, why: string): Line[] {
  if (!adapter) return [['adapter', `${why}; the memory is that on an ordinary GPU`]];
  const { vendor, architecture, subgroups, features } = adapter;
  const limits = Object.entries(adapter.limits).sort(([a], [b]) => (a < b ? -1 : 1));
  return [
    ['adapter', adapterText(adapter)],
    ['  vendor', vendor || 'not told'],
    ['  architecture', architecture || 'not told'],
    ['subgroups', subgroups ? 'used' : 'not used'],
    ['features', features.join(', ') || 'none'],
    ['limits', ''],
    ...limits.map(([name, value]): Line => [`  ${name}`, String(value)]),
  ];
}

function modelLines({ where, config, tensors, quantized, defaults, tokenizer }: Known): Line[] {
  let parameters = 0;
  let stored = 0;
  for (const { shape, begin, end } of tensors.values()) {
    parameters += shape.reduce((n, m) => n * m, 1);
    stored += end - begin;
  }
  const kinds = new Map<string, number>();
  for (const { rows, columns, code, group, stored: bytes } of quantized.values()) {
    parameters += rows * columns;
    stored += bytes;
    const kind = `${code} in ${group === columns ? 'rows' : `groups of ${group}`}`;
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  return [
    ...where,
    ...Object.entries(config).map(([name, value]): Line => [`  ${name}`, plain(value)]),
    ['parameters', `${parameters}, ${bytes(stored)} as stored`],
    ...Array.from(
      kinds,
      ([kind, count]): Line => ['  quantised', `${count} ${count === 1 ? 'matrix' : 'matrices'}, ${kind}`],
    ),
    ['tokenizer', tokenizer],
    ['egps.json', ''],
    ...Object.entries(defaults).map(([name, value]): Line => [`  ${name}`, plain(value)]),
  ];
}

/** Other ways to load the model. */
function quantizations({ quantized }: Known, { quantize, quantizeHead, quantizeGroup }: QuantizeOptions) {
  if (quantize !== undefined || quantizeHead !== undefined) return [];
  const ways: QuantizeOptions[] =
    quantized.size > 0 ? [{ quantizeHead: 'int8' }] : [{ quantize: 'int8' }, { quantize: 'int4' }];
  return ways.map((way) => ({
    name: `    ${way.quantize ?? 'head int8'}`,
    options: { ...way, quantizeGroup },
  }));
}

function memoryLines(
  plan: MemoryPlan,
  others: readonly (readonly [name: string, plan: MemoryPlan])[],
  { config }: Known,
  positions: number,
): Line[] {
  const taken = plan.at(positionsFor(positions));
  const context = Math.min(taken.positions, config.maxPositionEmbeddings);
  return [
    ['memory', bytes(taken.total)],
    ['  weights', bytes(taken.weights)],
    ...others.map(([name, { weights }]): Line => [name, bytes(weights)]),
    [
      '  cache',
      `${bytes(taken.cache)} for ${taken.positions} positions, ${bytes(plan.position)} of keys and values each`,
    ],
    ['  scratch', `${bytes(taken.scratch)} of activations, for contexts of up to ${context} positions`],
  ];
}

function fitLine(plan: MemoryPlan, limit: number, maxNewTokens: number): Line {
  const positions = plan.positionsIn(limit);
  const chains = Math.max(0, Math.floor((positions - PROMPT) / maxNewTokens));
  const within =
    positions === 0
      ? `nothing: weights and activations alone take more`
      : `${positions} positions in the cache`;
  const held = `${chains} chains of ${maxNewTokens} tokens behind a prompt of ${PROMPT}`;
  return [`fits ${bytes(limit)}`, positions === 0 ? within : `${within}: ${held}`];
}

async function testKernels(parsed: Parsed, io: Io): Promise<void> {
  if (parsed.values.memory)
    throw new OptionError('--memory and --self-test are given: --self-test tells of kernels only');
  const kvType = chosenKvType(parsed);
  const { config, tensors, quantized, warnings } = await look(value(parsed, 'model') ?? abacus, io.signal);
  const gpu = await Gpu.open(chosenAdapter(parsed));
  try {
    sayAdapter(gpu.adapter, io);
    warn(warnings, io);
    const formOf = (name: string) => {
      const codes = quantized.get(name);
      // Orders are held by a shape of their own.
      return codes ? { ...codes, hasOrder: false } : (tensors.get(name)?.dtype ?? 'F32');
    };
    const checks = await selfTest(gpu, { config, formOf, kvType }, (done, of) => {
      io.signal.throwIfAborted();
      const facts = ['checking kernels', `${done} of ${of} passes`];
      io.redraw.update(() => ({ text: '', done: done / of, facts }));
    });
    io.redraw.clear();
    tellChecks(gpu, checks, io);
  } finally {
    gpu.dispose();
  }
}

/** Prints a line for each form of each kernel. @throws KernelError where one is wrong */
export function tellChecks(
  gpu: Pick<Gpu, 'adapter'>,
  checks: readonly KernelCheck[],
  io: Pick<Io, 'out'>,
): void {
  const short = (x: number) => (x === 0 ? '0' : x.toExponential(1));
  const rows = checks.map(({ kernel, form, error, bound, right }) => [
    kernel,
    form,
    short(error),
    short(bound),
    right ? 'ok' : 'WRONG',
  ]);
  const lines = [['kernel', 'form', 'error', 'bound', ''], ...rows];
  io.out(`${table(lines, [false, false, true, true, false])}\n`);
  refuseWrong(gpu, checks);
}

function plain(value: unknown): string {
  if (value instanceof Set) return [...value].join(', ');
  if (Array.isArray(value)) return value.join(', ');
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value);
}
