// RMSNorm costs no kernel of its own. Whoever writes the residual stream h also writes g∘h, with g the weight of the norm that
// follows, and the squares of h summed over a few columns each. A product with the normed vector is then (W · g∘h) / rms(h), and
// the factor is applied after the product.
override EPSILON: f32;
var<workgroup> squares: array<f32, THREADS * TILE>; // [THREADS / PEERS][TILE][PEERS]
var<private> factors: array<f32, MOST>; // 1 / rms(h) of the thread's TILE rows

// Computes factors. Every thread adds the partial sums in the same order.
fn norms(p: Place, thread: u32) {
  let first = thread / PEERS * TILE * PEERS;
  for (var m = 0u; m < TILE * slab.one; m++) {
    var s = 0.0;
    for (var i = p.peer; i < stream_squares() * slab.one; i += PEERS) {
      s += x1((p.row + m) * stream_stride() + 2u * stream_half() + i);
    }
    squares[first + m * PEERS + p.peer] = s;
  }
  workgroupBarrier();
  for (var m = 0u; m < TILE * slab.one; m++) {
    var sum = 0.0;
    for (var t = 0u; t < PEERS * slab.one; t++) { sum += squares[first + m * PEERS + t]; }
    factors[m] = inverseSqrt(sum / f32(WIDTH) + EPSILON);
  }
}
