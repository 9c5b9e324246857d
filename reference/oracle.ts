/**
 * Qwen2, Qwen3, Llama and Mistral in float64, one token at a time and slow: what the GPU's forward pass is measured against. Matrices
 * are [rows, columns], row-major, as `torch.nn.Linear` stores them; tensors go by their Hugging Face names.
 */
import type { ModelConfig } from '../src/checkpoint/config.ts';
import { add, attention, matvec, rmsNorm, rotary, siluGate } from '../src/selftest/float64.ts';
import { rotations } from './rotations.ts';

export type Weights = Map<string, Float64Array>;

/**
 * The logits [tokens, vocabSize] of the next token after each of `tokens`, which stand at positions 0, 1, … `watch` sees the
 * activations around every layer, position by position, under the names of src/engine/activations.ts; `kept` is what becomes of
 * keys and values when they are kept.
 */
export function forward(
  config: ModelConfig,
  weights: Weights,
  tokens: ArrayLike<number>,
  watch: (name: string, values: Float64Array) => void = () => {},
  kept: (value: number) => number = (value) => value,
): Float64Array {
  const { vocabSize, hiddenSize, numHiddenLayers, numKeyValueHeads, headDim, rmsNormEps } = config;
  const tensor = (name: string): Float64Array => {
    const values = weights.get(name);
    if (values === undefined) throw new Error(`the checkpoint has no tensor ${name}`);
    return values;
  };
  const linear = (name: string, x: Float64Array, bias = false) =>
    matvec(tensor(`${name}.weight`), x, bias ? tensor(`${name}.bias`) : undefined);
  const norm = (name: string, x: Float64Array) => rmsNorm(x, tensor(`${name}.weight`), rmsNormEps);

  const headNorm = (name: string, x: Float64Array) => {
    const normed = x.slice(); // [heads, headDim]
    if (!config.qkNorm) return normed;
    for (let at = 0; at < x.length; at += headDim) normed.set(norm(name, x.subarray(at, at + headDim)), at);
    return normed;
  };
  const { attentionBias: qkvBias, outputBias, mlpBias, slidingWindow } = config;
  const turns = rotations(config);
  const embedding = tensor('model.embed_tokens.weight'); // [vocabSize, hiddenSize]
  const head = config.tieWordEmbeddings ? embedding : tensor('lm_head.weight'); // [vocabSize, hiddenSize]

  const kvSize = numKeyValueHeads * headDim;
  const cache = () => Array.from({ length: numHiddenLayers }, () => new Float64Array(tokens.length * kvSize));
  const keys = cache(); // per layer [tokens, numKeyValueHeads, headDim]
  const values = cache(); // per layer [tokens, numKeyValueHeads, headDim]
  const logits = new Float64Array(tokens.length * vocabSize); // [tokens, vocabSize]

  for (let t = 0; t < tokens.length; t++) {
    let x: Float64Array = embedding.slice(tokens[t] * hiddenSize, (tokens[t] + 1) * hiddenSize); // [hiddenSize]
    for (let l = 0; l < numHiddenLayers; l++) {
      const layer = `model.layers.${l}`;
      watch(`${layer}.input`, x);

      const a = norm(`${layer}.input_layernorm`, x); // [hiddenSize]
      const q = linear(`${layer}.self_attn.q_proj`, a, qkvBias); // [numAttentionHeads, headDim]
      const k = linear(`${layer}.self_attn.k_proj`, a, qkvBias); // [numKeyValueHeads, headDim]
      const v = linear(`${layer}.self_attn.v_proj`, a, qkvBias); // [numKeyValueHeads, headDim]
      const turned = rotary(headNorm(`${layer}.self_attn.k_norm`, k), t, headDim, turns);
      keys[l].set(turned.map(kept), t * kvSize);
      values[l].set(v.map(kept), t * kvSize);
      const { size, layers } = slidingWindow ?? { size: 0, layers: numHiddenLayers };
      const slides = typeof layers === 'number' ? l >= layers : layers[l];
      const first = slides ? Math.max(0, t + 1 - size) : 0; // the position itself is one of the window's
      const mixed = attention(
        rotary(headNorm(`${layer}.self_attn.q_norm`, q), t, headDim, turns),
        keys[l].subarray(first * kvSize, (t + 1) * kvSize),
        values[l].subarray(first * kvSize, (t + 1) * kvSize),
        numKeyValueHeads,
        headDim,
      ); // [numAttentionHeads, headDim]
      watch(`${layer}.self_attn.o_proj.input`, mixed);
      x = add(x, linear(`${layer}.self_attn.o_proj`, mixed, outputBias));

      watch(`${layer}.post_attention_layernorm.input`, x);
      const m = norm(`${layer}.post_attention_layernorm`, x); // [hiddenSize]
      const gate = linear(`${layer}.mlp.gate_proj`, m, mlpBias); // [intermediateSize]
      const up = linear(`${layer}.mlp.up_proj`, m, mlpBias); // [intermediateSize]
      const gated = siluGate(gate, up); // [intermediateSize]
      watch(`${layer}.mlp.down_proj.input`, gated);
      x = add(x, linear(`${layer}.mlp.down_proj`, gated, mlpBias));
      watch(`${layer}.output`, x);
    }
    logits.set(matvec(head, norm('model.norm', x)), t * vocabSize);
  }
  return logits;
}

/** What a decoded token's columns must hold: see `Continuation`. Natural logarithms. */
export interface Statistics {
  logp: number;
  logq: number;
  logZ: number;
  entropy: number;
}

/**
 * The statistics of `token` under `logits` [vocabSize], q being softmax(logits / temperature), or the argmax at
 * temperature 0; alpha ≥ 1. Only the terms beside the largest are summed and log1p adds the 1 of the largest, so that
 * values near 0 keep full relative accuracy however peaked the distribution is.
 */
export function statistics(
  logits: ArrayLike<number>,
  token: number,
  { temperature, alpha }: { temperature: number; alpha: number },
): Statistics {
  let top = 0;
  for (let v = 1; v < logits.length; v++) if (logits[v] > logits[top]) top = v;
  const below = (v: number) => logits[v] - logits[top]; // ≤ 0
  /** log Σ_v e^{power · (l_v − l_top)} */
  const logSum = (power: number) => {
    let rest = 0;
    for (let v = 0; v < logits.length; v++) if (v !== top) rest += Math.exp(power * below(v));
    return Math.log1p(rest);
  };

  const logSum1 = logSum(1);
  let meanBelow = 0;
  for (let v = 0; v < logits.length; v++) {
    const probability = Math.exp(below(v) - logSum1);
    if (probability > 0) meanBelow += probability * below(v);
  }
  const greedy = token === top ? 0 : Number.NEGATIVE_INFINITY;
  return {
    logp: below(token) - logSum1,
    logq: temperature === 0 ? greedy : below(token) / temperature - logSum(1 / temperature),
    logZ: Math.min(0, logSum(alpha) - alpha * logSum1),
    entropy: logSum1 - meanBelow,
  };
}
