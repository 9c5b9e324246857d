// Logits: the normed stream times the LM head (or the tied embedding). A thread computes two outputs, a workgroup 64.
override VOCABULARY: u32;
@group(0) @binding(3) var<storage, read_write> logits: array<f32>; // [rows][VOCABULARY]

@compute @workgroup_size(32)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let a = group.x * 64u + thread;
  let b = a + 32u;
  let first_row = group.y * TILE;
  let factor = inverse_rms(first_row, thread);
  matvec(min(a, slab.count - 1u), min(b, slab.count - 1u), first_row * stream_stride() + 8u * blocks(), stream_stride());
  var results = products;
  for (var m = 0u; m < TILE * slab.one; m++) {
    let at = (first_row + m) * VOCABULARY + slab.first;
    if (a < slab.count) { logits[at + a] = results[m].x * factor[m]; }
    if (b < slab.count) { logits[at + b] = results[m].y * factor[m]; }
  }
}
