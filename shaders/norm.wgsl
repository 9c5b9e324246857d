// RMSNorm costs no kernel of its own. Whoever writes the residual stream h also writes g∘h, with g the weight of the norm that
// follows: the stream holds [h | g∘h] for each row. A product with the normed vector is then (W · g∘h) / rms(h), and the
// factor is applied after the product.
override EPSILON: f32;
const THREADS = 32u;
var<workgroup> squares: array<vec4f, THREADS>; // a component for each row of the tile

fn stream_stride() -> u32 { return 2u * 8u * blocks(); }

// 1 / rms(h) of TILE rows from row on. Every thread adds the partial sums in the same order.
fn inverse_rms(row: u32, thread: u32) -> vec4f {
  var sum = vec4f(0);
  for (var m = 0u; m < TILE * slab.one; m++) {
    var s = 0.0;
    for (var i = thread; i < 2u * blocks() * slab.one; i += THREADS) {
      let h = x4((row + m) * stream_stride() / 4u + i);
      s = fma(h.x, h.x, fma(h.y, h.y, fma(h.z, h.z, fma(h.w, h.w, s))));
    }
    sum[m] = s;
  }
  squares[thread] = sum;
  workgroupBarrier();
  var total = vec4f(0);
  for (var t = 0u; t < THREADS * slab.one; t++) { total += squares[t]; }
  return inverseSqrt(total / f32(COLUMNS) + vec4f(EPSILON));
}
