// RMSNorm costs no kernel of its own. Whoever writes the residual stream h also writes g∘h, with g the weight of the norm that
// follows, and the squares of h summed over a few columns each. A product with the normed vector is then (W · g∘h) / rms(h), and
// the factor is applied after the product.
override SQUARES: u32; // THREADS * TILE
var<workgroup> squares: array<f32, SQUARES>; // [THREADS / peers()][TILE][peers()]
var<private> factors: array<f32, MOST>; // 1 / rms(h) of the thread's TILE rows

// Computes factors. Every thread adds the partial sums in the same order.
fn norms(p: Place, thread: u32) {
  let first = thread / peers() * TILE * peers();
  for (var m = 0u; m < TILE * slab.one; m++) {
    var s = 0.0;
    for (var i = p.peer; i < stream_squares() * slab.one; i += peers()) {
      s += x1((p.row + m) * stream_stride() + 2u * stream_half() + i);
    }
    squares[first + m * peers() + p.peer] = s;
  }
  workgroupBarrier();
  for (var m = 0u; m < TILE * slab.one; m++) {
    var sum = 0.0;
    for (var t = 0u; t < peers() * slab.one; t++) { sum += squares[first + m * peers() + t]; }
    factors[m] = inverseSqrt(sum / f32(sizes.WIDTH) + sizes.EPSILON);
  }
}
