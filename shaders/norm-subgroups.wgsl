// norm.wgsl where a workgroup is eight threads of one subgroup: they tell each other their sums without a barrier, beyond which a software
// driver keeps variables in memory.
var<private> factors: array<f32, MOST>; // 1 / rms(h) of the thread's TILE rows

// Computes factors. Every thread adds the partial sums in the same order.
fn norms(p: Place, thread: u32) {
  for (var m = 0u; m < TILE * slab.one; m++) {
    var s = 0.0;
    for (var i = p.peer; i < stream_squares() * slab.one; i += peers()) {
      s += x1((p.row + m) * stream_stride() + 2u * stream_half() + i);
    }
    var sum = subgroupBroadcast(s, 0u) + subgroupBroadcast(s, 1u);
    sum = sum + subgroupBroadcast(s, 2u) + subgroupBroadcast(s, 3u) + subgroupBroadcast(s, 4u);
    sum = sum + subgroupBroadcast(s, 5u) + subgroupBroadcast(s, 6u) + subgroupBroadcast(s, 7u);
    factors[m] = inverseSqrt(sum / f32(sizes.WIDTH) + sizes.EPSILON);
  }
}
