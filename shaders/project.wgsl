// A projection back into the residual stream (o_proj, down_proj): h += W · x, and g∘h for the norm that follows.
override X_STRIDE: u32;
override WIDTH: u32; // half a row of the stream
@group(0) @binding(3) var<storage, read> norm_weight: array<f32>;
@group(0) @binding(4) var<storage, read_write> stream: array<f32>; // [rows][h | g∘h]

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let p = place(group, thread);
  let n = outputs(p.quad);
  multiply(min(n, vec4u(slab.count - 1u)), p.row * X_STRIDE, X_STRIDE, thread);
  if (!p.finishes) { return; }
  for (var j = 0u; j < 4u * slab.one; j++) {
    if (n[j] >= slab.count) { continue; }
    let column = slab.first + n[j];
    let g = norm_weight[column];
    for (var m = 0u; m < TILE * slab.one; m++) {
      let at = (p.row + m) * 2u * WIDTH + column;
      let h = stream[at] + products[m][j];
      stream[at] = h;
      stream[at + WIDTH] = h * g;
    }
  }
}
