// The normed stream times the LM head (or the tied embedding): the logits. A thread computes four neighbouring ones, REPEAT times.
override REPEAT: u32;
@group(0) @binding(3) var<storage, read_write> logits: array<f32>; // [rows][VOCABULARY]

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let first = place(group, thread);
  norms(first, thread);
  let quads = (slab.count + 3u) / 4u - group.x * THREADS * REPEAT;
  for (var c = 0u; c < min(REPEAT, (quads + THREADS - 1u) / THREADS); c++) {
    let n = 4u * ((group.x * REPEAT + c) * THREADS + thread) + vec4u(0u, 1u, 2u, 3u);
    multiply(min(n, vec4u(slab.count - 1u)), first.row * stream_stride() + stream_half(), stream_stride(), thread);
    for (var m = 0u; m < TILE * slab.one; m++) {
      let l = products[m] * factors[m];
      let at = (first.row + m) * sizes.VOCABULARY + slab.first;
      for (var j = 0u; j < 4u * slab.one; j++) {
        if (n[j] < slab.count) { logits[at + n[j]] = l[j]; }
      }
    }
  }
}
