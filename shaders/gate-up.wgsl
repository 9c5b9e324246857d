// The first half of the SwiGLU feed-forward: silu(gate_proj · x) ∘ (up_proj · x), x the normed stream. A slab holds rows of gate_proj and
// then, from a multiple of eight on, the same rows of up_proj; a thread computes one of each.
override OUT_STRIDE: u32;
@group(0) @binding(3) var<storage, read_write> out: array<f32>; // [rows][OUT_STRIDE]

@compute @workgroup_size(32)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let n = min(group.x * 32u + thread, slab.count - 1u);
  let first_row = group.y * TILE;
  let factor = inverse_rms(first_row, thread);
  matvec(n, (slab.count + 7u) / 8u * 8u + n, first_row * stream_stride() + 8u * blocks(), stream_stride());
  var results = products;
  for (var m = 0u; m < TILE * slab.one; m++) {
    let gate = results[m].x * factor[m];
    let up = results[m].y * factor[m];
    out[(first_row + m) * OUT_STRIDE + slab.first + n] = gate / (1.0 + exp(-gate)) * up;
  }
}
