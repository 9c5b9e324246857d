// RMSNorm costs no kernel of its own. Whoever writes the residual stream h also writes g∘h, with g the weight of the norm that
// follows: the stream holds [h | g∘h] for each row. A product with the normed vector is then (W · g∘h) / rms(h), and the
// factor is applied after the product.
override EPSILON: f32;
var<workgroup> squares: array<f32, THREADS * TILE>; // [THREADS / PEERS][TILE][PEERS]
var<private> factors: array<f32, MOST>; // 1 / rms(h) of the thread's TILE rows

fn stream_stride() -> u32 { return 2u * 8u * blocks(); }

// Computes factors. Every thread adds the partial sums in the same order.
fn norms(p: Place, thread: u32) {
  let first = thread / PEERS * TILE * PEERS;
  for (var m = 0u; m < TILE * slab.one; m++) {
    var s = 0.0;
    for (var i = p.peer; i < 2u * blocks() * slab.one; i += PEERS) {
      let h = x4((p.row + m) * stream_stride() / 4u + i);
      s = fma(h.x, h.x, fma(h.y, h.y, fma(h.z, h.z, fma(h.w, h.w, s))));
    }
    squares[first + m * PEERS + p.peer] = s;
  }
  workgroupBarrier();
  for (var m = 0u; m < TILE * slab.one; m++) {
    var sum = 0.0;
    for (var t = 0u; t < PEERS * slab.one; t++) { sum += squares[first + m * PEERS + t]; }
    factors[m] = inverseSqrt(sum / f32(COLUMNS) + EPSILON);
  }
}
