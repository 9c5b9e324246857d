// The first half of the SwiGLU feed-forward: silu(gate_proj · x) ∘ (up_proj · x), x the normed stream. A slab holds rows of gate_proj and
// then, from a multiple of eight on, the same rows of up_proj; a thread computes two of each.
override BIAS: bool; // both products have one
override ORDERED: bool; // each takes the activations in an order of its own, see permute.wgsl
@group(0) @binding(3) var<storage, read_write> out: array<f32>; // [rows][OUT_STRIDE]
@group(0) @binding(4) var<storage, read> bias: array<f32>; // with BIAS [2][outputs], else anything

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let p = place(group, thread);
  norms(p, thread);
  let n = min(vec2u(p.quad / 8u * 16u + p.quad % 8u) + vec2u(0u, 8u), vec2u(slab.count - 1u)); // the last threads repeat the last output
  let up = (slab.count + 7u) / 8u * 8u;
  let start = p.row * stream_stride() + stream_half();
  multiply(vec4u(n, n + up), start, stream_stride(), thread);
  if (ORDERED) {
    let gate = products;
    multiply(vec4u(n, n + up), start + sizes.SECOND, stream_stride(), thread);
    for (var m = 0u; m < TILE; m++) { products[m] = vec4f(gate[m].xy, products[m].zw); }
  }
  if (!p.finishes) { return; }
  for (var m = 0u; m < TILE * slab.one; m++) {
    var y = products[m] * factors[m];
    if (BIAS) {
      let b = vec4u(n, n + arrayLength(&bias) / 2u) + slab.first;
      y += vec4f(bias[b.x], bias[b.y], bias[b.z], bias[b.w]);
    }
    let activated = y.xy / (1.0 + exp(-y.xy)) * y.zw;
    let at = (p.row + m) * sizes.OUT_STRIDE + slab.first;
    out[at + n.x] = activated.x;
    out[at + n.y] = activated.y;
  }
}
