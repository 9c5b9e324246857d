// What the forms of kernels are called, in which they were run.
import { tensorShapes } from '../checkpoint/config.ts';
import type { TensorInfo } from '../checkpoint/safetensors.ts';
import { commonFormat, type Format, isInChunks, isQuantized } from '../model/format.ts';
import { attentionForm } from './attention.ts';
import { SLIDING } from './layouts.ts';
import type { Step, Subject, Trial } from './subject.ts';

const HEAD = ['lm_head.weight'];
const EMBEDDING = ['model.embed_tokens.weight'];
/** The tensors of the matrix that an operation multiplies by. */
const MATRICES: Readonly<Record<string, readonly string[]>> = {
  'self_attn.qkv_proj': ['self_attn.q_proj', 'self_attn.k_proj', 'self_attn.v_proj'],
  'self_attn.o_proj': ['self_attn.o_proj'],
  'mlp.gate_up_proj': ['mlp.gate_proj', 'mlp.up_proj'],
  'mlp.down_proj': ['mlp.down_proj'],
};

export function nameOf(format: Format): string {
  if (!isQuantized(format)) return format.code;
  const { code, rounding, hasZeros } = format;
  return `${code}${hasZeros ? ' with zero points' : ''}${rounding === 'f32' ? '' : `, as ${rounding}`}`;
}

export function formIn(subject: Subject, step: Step, trial: Trial): string {
  const form = plainForm(subject, step, trial);
  if (subject.cache.type === 'f32' || !/^(qkv|qk-norm|attention|copy-pages)$/.test(step.kernel)) return form;
  return `${form}${form && ', '}bf16 keys`;
}

function plainForm({ config, tensors, tuning, model }: Subject, step: Step, trial: Trial): string {
  const format = (names: readonly string[]) =>
    commonFormat(
      names.map((name) => tensors.quantized.get(name) ?? (tensors.tensors.get(name) as TensorInfo)),
    );
  const type = (names: readonly string[]) => nameOf(format(names));
  const shaderFor = (shader: string, names: readonly string[], columns: number) =>
    shader === 'matvec-subgroups' && isInChunks(format(names), columns) ? 'matvec-groups' : shader;
  const tile = tuning.tiles.find((rows) => rows >= trial.states.length) ?? Math.max(...tuning.tiles);
  switch (step.kernel) {
    case 'embed':
      return type(EMBEDDING);
    case 'lm-head': {
      const names = config.tieWordEmbeddings ? EMBEDDING : HEAD;
      const shader = shaderFor(tuning.head.shader, names, config.hiddenSize);
      return `${shader}, tiles of ${tile}, ${type(names)}`;
    }
    case 'qkv':
    case 'project':
    case 'gate-up': {
      const names = MATRICES[step.use];
      const all = names.map((name) => `model.layers.0.${name}.weight`);
      const weights = type(all);
      const biased =
        step.use !== 'self_attn.qkv_proj' && tensors.tensors.has(`model.layers.0.${names.at(-1)}.bias`);
      const more = biased ? ', biases' : step.kernel === 'qkv' && config.qkNorm ? ', for norms' : '';
      if (trial.prefill && tuning.tiledPrefill) return `matmul-tiles, ${weights}${more}`;
      const [, columns] = tensorShapes(config).get(all[0]) ?? [];
      return `${shaderFor(tuning.decode.shader, all, columns)}, tiles of ${tile}, ${weights}${more}`;
    }
    case 'attention':
      return attentionForm(step, trial);
    case 'attention-merge':
      return step.use === SLIDING ? 'of a window' : '';
    case 'summarise':
    case 'draw':
      return `slices: ${model.sizes.slices}`;
    default:
      return '';
  }
}
