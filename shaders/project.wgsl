// A projection back into the residual stream (o_proj, down_proj): h += W · x, and g∘h for the norm that follows.
// A thread computes two outputs, a workgroup 64.
override X_STRIDE: u32;
override WIDTH: u32; // half a row of the stream
@group(0) @binding(3) var<storage, read> norm_weight: array<f32>;
@group(0) @binding(4) var<storage, read_write> stream: array<f32>; // [rows][h | g∘h]

@compute @workgroup_size(32)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let a = group.x * 64u + thread;
  let b = a + 32u;
  let first_row = group.y * TILE;
  matvec(min(a, slab.count - 1u), min(b, slab.count - 1u), first_row * X_STRIDE, X_STRIDE);
  var results = products;
  for (var m = 0u; m < TILE * slab.one; m++) {
    if (a < slab.count) { add(first_row + m, slab.first + a, results[m].x); }
    if (b < slab.count) { add(first_row + m, slab.first + b, results[m].y); }
  }
}

fn add(row: u32, column: u32, product: f32) {
  let at = row * 2u * WIDTH + column;
  let h = stream[at] + product;
  stream[at] = h;
  stream[at + WIDTH] = h * norm_weight[column];
}
