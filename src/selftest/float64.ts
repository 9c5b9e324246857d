// What a forward pass is made of, in float64 and straight by the definitions: kernels are held against it, and reference/oracle.ts is
// made of it, which a test holds against transformers. Matrices are [rows, columns], row-major, as `torch.nn.Linear` stores them.

/** matrix [rows, x.length] · x + bias: [rows]. */
export function matvec(matrix: Float64Array, x: Float64Array, bias?: Float64Array): Float64Array {
  const columns = x.length;
  return Float64Array.from({ length: matrix.length / columns }, (_, row) => {
    let sum = bias?.[row] ?? 0;
    for (let i = 0; i < columns; i++) sum += matrix[row * columns + i] * x[i];
    return sum;
  });
}

export function add(x: Float64Array, y: Float64Array): Float64Array {
  return x.map((value, i) => value + y[i]);
}

/** x / sqrt(mean(x²) + eps) · weight. */
export function rmsNorm(x: Float64Array, weight: Float64Array, eps: number): Float64Array {
  const meanSquare = x.reduce((sum, value) => sum + value * value, 0) / x.length;
  const scale = 1 / Math.sqrt(meanSquare + eps);
  return x.map((value, i) => value * scale * weight[i]);
}

/** What rotary embeddings do at one position after another: the radians that each pair of dimensions turns by, and the length it is given. */
export interface Rotations {
  readonly speeds: ArrayLike<number>; // [headDim / 2]
  readonly length: number;
}

/** Turns the pair (i, i + headDim/2) of every head of x [heads, headDim] by position · speeds[i] radians. */
export function rotary(
  x: Float64Array,
  position: number,
  headDim: number,
  { speeds, length }: Rotations,
): Float64Array {
  const half = headDim / 2;
  const turned = new Float64Array(x.length);
  for (let head = 0; head < x.length; head += headDim) {
    for (let i = 0; i < half; i++) {
      const angle = position * speeds[i];
      const a = x[head + i];
      const b = x[head + i + half];
      turned[head + i] = length * (a * Math.cos(angle) - b * Math.sin(angle));
      turned[head + i + half] = length * (b * Math.cos(angle) + a * Math.sin(angle));
    }
  }
  return turned;
}

/**
 * softmax(q·k / √headDim)·v for one query position: q [heads, headDim] over keys and values
 * [positions, kvHeads, headDim] gives [heads, headDim]. Consecutive query heads share a key head.
 */
export function attention(
  q: Float64Array,
  keys: Float64Array,
  values: Float64Array,
  kvHeads: number,
  headDim: number,
): Float64Array {
  const heads = q.length / headDim;
  const positions = keys.length / (kvHeads * headDim);
  const mixed = new Float64Array(q.length); // [heads, headDim]
  for (let head = 0; head < heads; head++) {
    const kvHead = Math.floor((head * kvHeads) / heads);
    const at = (position: number) => (position * kvHeads + kvHead) * headDim;
    const scores = Float64Array.from({ length: positions }, (_, position) => {
      let dot = 0;
      for (let i = 0; i < headDim; i++) dot += q[head * headDim + i] * keys[at(position) + i];
      return dot / Math.sqrt(headDim);
    }); // [positions]
    softmax(scores).forEach((weight, position) => {
      for (let i = 0; i < headDim; i++) mixed[head * headDim + i] += weight * values[at(position) + i];
    });
  }
  return mixed;
}

export function softmax(scores: Float64Array): Float64Array {
  const max = scores.reduce((a, b) => Math.max(a, b));
  const weights = scores.map((score) => Math.exp(score - max));
  const sum = weights.reduce((a, b) => a + b);
  return weights.map((weight) => weight / sum);
}

/** silu(gate) · up, where silu(x) = x / (1 + e^−x). */
export function siluGate(gate: Float64Array, up: Float64Array): Float64Array {
  return gate.map((value, i) => (value / (1 + Math.exp(-value))) * up[i]);
}
