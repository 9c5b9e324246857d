import { PAGE } from '../cache/kv-cache.ts';
import type { KvType } from '../cache/kv-type.ts';
import type { ModelConfig } from '../checkpoint/config.ts';
import type { CodeFormat } from '../checkpoint/quantized.ts';
import type { Dtype } from '../checkpoint/safetensors.ts';
import { Gpu } from '../gpu/device.ts';
import { Kernels, type Sources } from '../gpu/kernel.ts';
import { type Tuning, tuningFor } from '../model/tuning.ts';
import { checkPackingCodes } from './codes-layout.ts';
import { type Check, isRight, worst } from './compare.ts';
import { DEFINITIONS } from './definitions.ts';
import { formIn, nameOf } from './form.ts';
import { checkPacking, ODD_COLUMNS, PACKINGS, type Packing } from './packing.ts';
import { checkQuantizing } from './quantizing.ts';
import type { CodesForm } from './random-codes.ts';
import { RandomTensors } from './random-tensors.ts';
import { type KernelName, openSubject } from './subject.ts';
import { allPlans, fewPlans, LONGEST, type Plan, runPlan, slidingPlan, WINDOW } from './trials.ts';

/** What a kernel was found to compute. */
export interface KernelCheck extends Check {
  /** The file in shaders/ that has its entry point. */
  readonly kernel: KernelName | 'pack' | 'pack-codes' | 'quantize';
  /** In which of its forms it was run. */
  readonly form: string;
  /** error is at most bound. */
  readonly right: boolean;
}

/** Models that are made for the test. */
export interface Made {
  readonly config: ModelConfig;
  readonly formOf: (name: string) => Dtype | CodesForm;
  /** Of the cache; f32 unless given. */
  readonly kvType?: KvType;
}

const made = (sizes: Partial<ModelConfig>): ModelConfig => ({
  modelType: 'qwen2',
  vocabSize: 203,
  hiddenSize: 40,
  intermediateSize: 24,
  numHiddenLayers: 1,
  numAttentionHeads: 3,
  numKeyValueHeads: 1,
  headDim: 8,
  rmsNormEps: 1e-6,
  ropeTheta: 10_000,
  maxPositionEmbeddings: LONGEST,
  ropeScaling: null,
  slidingWindow: null,
  tieWordEmbeddings: false,
  attentionBias: true,
  outputBias: false,
  mlpBias: false,
  qkNorm: false,
  eosTokens: [],
  ...sizes,
});

/** Sizes of the embedded model, with kernels that most models share. */
export const EMBEDDED: Made = {
  config: made({
    vocabSize: 364,
    hiddenSize: 128,
    intermediateSize: 384,
    numAttentionHeads: 4,
    numKeyValueHeads: 2,
    headDim: 32,
    tieWordEmbeddings: true,
  }),
  formOf: () => 'BF16',
};

/** Everything that only some models have. */
export const FEATURED: Made = {
  config: made({
    hiddenSize: 76,
    headDim: 20,
    numAttentionHeads: 4,
    numKeyValueHeads: 2,
    intermediateSize: 131,
    vocabSize: 8301,
    slidingWindow: { size: WINDOW, layers: 0 },
    outputBias: true,
    mlpBias: true,
    qkNorm: true,
  }),
  formOf: (name) => (/q_proj|gate_proj|lm_head/.test(name) ? 'F16' : 'BF16'),
};

const inGroups = (code: CodeFormat, group: number, more: Partial<CodesForm> = {}): CodesForm => ({
  code,
  group,
  rounding: 'f32',
  hasZeros: false,
  hasOrder: false,
  ...more,
});

/** Every code and rounding, groups of many sizes, zero points, orders. */
const FORMS: readonly [names: RegExp, form: CodesForm][] = [
  [/embed_tokens/, inGroups('int8', 64)],
  [/lm_head/, inGroups('int8', 16, { rounding: 'bf16', hasZeros: true })],
  [/[qkv]_proj.weight/, inGroups('int4', 32)],
  [/o_proj.weight/, inGroups('fp8', 80, { rounding: 'bf16' })],
  [/(gate|up)_proj.weight/, inGroups('int8', 32, { hasOrder: true })],
  [/down_proj.weight/, inGroups('int4', 64, { rounding: 'f16', hasZeros: true })],
];

/** Everything that is stored as codes. */
export const QUANTIZED: Made = {
  config: made({ hiddenSize: 76, headDim: 20, numAttentionHeads: 4, intermediateSize: 131 }),
  formOf: (name) => FORMS.find(([names]) => names.test(name))?.[1] ?? 'F32',
};

/** The same with keys and values in bf16, of which a head has no multiple of eight. */
export const FEATURED_BF16: Made = { ...FEATURED, kvType: 'bf16' };

/** No size is a multiple of eight; several slices of logits; every dtype. */
const ODD: readonly Made[] = [
  {
    config: made({
      hiddenSize: 51,
      headDim: 12,
      intermediateSize: 37,
      vocabSize: 67,
      tieWordEmbeddings: true,
    }),
    formOf: () => 'F32',
  },
  FEATURED,
  QUANTIZED,
];

/** Rows of a pass here, at most. */
const CAPACITY = 128;

/**
 * Holds every kernel that this adapter runs against float64: with odd shapes, and with one layer of the given shape.
 * @param onPass told before each of so many passes; what it throws ends the test
 */
export async function selfTest(
  device: Gpu,
  shape: Made,
  onPass: (done: number, of: number) => void = () => {},
): Promise<KernelCheck[]> {
  const { slidingWindow } = shape.config;
  const sizes = { numHiddenLayers: 1, maxPositionEmbeddings: LONGEST };
  const window = slidingWindow && { size: WINDOW, layers: 0 }; // a kernel is the same but for the number
  const own = { ...shape, config: { ...shape.config, ...sizes, slidingWindow: window } };
  const checks = new Checks();
  await scratch(device, async (gpu) => {
    for (const packing of PACKINGS) await checkPack(gpu, new Kernels(gpu), packing, ODD_COLUMNS, checks);
    await checkCodes(gpu, new Kernels(gpu), checks);
  });
  if (checks.all().some(({ right }) => !right)) return checks.all(); // there are no weights to go on with
  const runs = [...ODD, own].map((made) => {
    const tuning = { ...tuningFor(device.adapter, made.config.vocabSize), capacity: CAPACITY };
    return { made, tuning, plans: allPlans(tuning) };
  });
  runs.push({
    made: FEATURED_BF16,
    tuning: quickTuning(device),
    plans: [...fewPlans(quickTuning(device)), slidingPlan],
  });
  const total = runs.reduce((sum, { plans }) => sum + plans.length, 0);
  let done = 0;
  for (const { made, tuning, plans } of runs) {
    const next = () => onPass(done++, total);
    await holdShape(device, made, tuning, plans, checks, undefined, next);
  }
  return checks.all();
}

/** The same in short: of each kernel the form that is used most. */
export async function quickSelfTest(
  device: Gpu,
  tuning: Tuning = quickTuning(device),
  sources?: Sources,
  kvType?: KvType,
): Promise<KernelCheck[]> {
  const checks = new Checks();
  await scratch(device, (gpu) =>
    checkPack(gpu, new Kernels(gpu, sources), PACKINGS[0], EMBEDDED.config.hiddenSize, checks),
  );
  if (checks.all().some(({ right }) => !right)) return checks.all();
  await holdShape(device, { ...EMBEDDED, kvType }, tuning, fewPlans(tuning), checks, sources);
  return checks.all();
}

/** In short what models with codes for weights need beside that. */
export async function quickQuantizedTest(
  device: Gpu,
  sources?: Sources,
  plans: (tuning: Tuning) => Plan[] = fewPlans,
): Promise<KernelCheck[]> {
  const tuning = quickTuning(device);
  const checks = new Checks();
  await scratch(device, (gpu) => checkCodes(gpu, new Kernels(gpu, sources), checks));
  if (checks.all().some(({ right }) => !right)) return checks.all();
  await holdShape(device, QUANTIZED, tuning, plans(tuning), checks, sources);
  return checks.all();
}

/** The same with keys and values in bf16. */
export const quickKeysTest = (device: Gpu): Promise<KernelCheck[]> =>
  quickSelfTest(device, quickTuning(device), undefined, 'bf16');

/** With the largest tiles alone. */
export function quickTuning({ adapter }: Pick<Gpu, 'adapter'>): Tuning {
  const tuning = tuningFor(adapter, EMBEDDED.config.vocabSize);
  return { ...tuning, tiles: [Math.max(...tuning.tiles)], capacity: CAPACITY };
}

/** Everything that is allocated goes again; the device stays. */
async function scratch(device: Gpu, use: (gpu: Gpu) => Promise<void>): Promise<void> {
  const gpu = await Gpu.open({ device: device.device });
  try {
    await use(gpu);
  } finally {
    gpu.dispose();
  }
}

/** Runs a model of this shape by these plans, and checks each kernel of each pass. */
export async function holdShape(
  device: Gpu,
  { config, formOf, kvType = 'f32' }: Made,
  tuning: Tuning,
  plans: readonly Plan[],
  checks: Checks,
  sources?: Sources,
  onPass?: () => void,
): Promise<void> {
  await scratch(device, async (gpu) => {
    const tensors = new RandomTensors(config, formOf);
    const positions = PAGE * (12 + 4 * Math.max(...tuning.tiles));
    const kernels = new Kernels(gpu, sources);
    const subject = await openSubject(gpu, kernels, config, tuning, tensors, positions, kvType);
    for (const [turn, plan] of plans.entries()) {
      onPass?.();
      const { trial, steps } = await runPlan(subject, plan, turn);
      for (const step of steps) {
        const found = DEFINITIONS[step.kernel](subject, step, trial);
        checks.add({ kernel: step.kernel, form: formIn(subject, step, trial) }, found);
        // What rests on numbers that are none says nothing, and what is drawn from wrong summaries is wrong.
        if (!Number.isFinite(found.error) || (step.kernel === 'summarise' && !isRight(found))) break;
      }
    }
  });
}

async function checkPack(
  gpu: Gpu,
  kernels: Kernels,
  packing: Packing,
  columns: number,
  checks: Checks,
): Promise<void> {
  const form = packing.map((dtype) => dtype.toLowerCase()).join(', ');
  checks.add({ kernel: 'pack', form }, await checkPacking(gpu, kernels, packing, columns));
}

async function checkCodes(gpu: Gpu, kernels: Kernels, checks: Checks): Promise<void> {
  for (const [, form] of FORMS) {
    const found = await checkPackingCodes(gpu, kernels, form);
    checks.add({ kernel: 'pack-codes', form: nameOf({ ...form, rounding: 'f32' }) }, found);
  }
  for (const code of ['int8', 'int4'] as const) {
    checks.add({ kernel: 'quantize', form: code }, await checkQuantizing(gpu, kernels, code));
  }
}

/** By kernel and form, in the order of their first checks. */
export class Checks {
  private readonly found = new Map<string, KernelCheck>();

  add(named: Pick<KernelCheck, 'kernel' | 'form'>, check: Check): void {
    const key = JSON.stringify(named);
    const last = this.found.get(key);
    const { error, bound } = last ? worst([last, check]) : check;
    this.found.set(key, { ...named, error, bound, right: isRight({ error, bound }) });
  }

  all(): KernelCheck[] {
    return [...this.found.values()];
  }
}
