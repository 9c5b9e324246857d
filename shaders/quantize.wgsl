// Rounds the source to codes in the layout of quantized.wgsl. A thread takes a row's group: of some scales, which put its largest weight
// at the lowest code or near it, it keeps the one that errs least, in squares. For given codes q of weights w that is Σ w q / Σ q², and
// what is left of the squares is Σ w² - (Σ w q)² / Σ q².
const MOST = 128u;  // columns of a group
const TRIES = 16u;

var<private> w: array<f32, MOST>;

fn rounded(w: f32, inverse: f32) -> f32 {
  let most = f32(1u << (BITS - 1u));
  return clamp(round(w * inverse), -most, most - 1.0);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  let group = id.y;
  if (row >= chunk.rows) { return; }
  let first = group * sizes.GROUP;
  let count = min(sizes.GROUP, (sizes.COLUMNS - first + 31u) / 32u * 32u); // beyond the last column there are zeros
  var largest = 0.0;
  for (var j = 0u; j < count; j++) {
    w[j] = bitcast<f32>(float_bits(row, first + j));
    if (!(abs(w[j]) <= abs(largest))) { largest = w[j]; } // NaN too
  }
  for (var j = 0u; j < count; j++) { w[j] = select(w[j] / largest, 0.0, w[j] == 0.0); }

  var best = 0.0;
  var step = 0.0; // scale / largest
  for (var t = 0u; t < TRIES; t++) {
    // The largest weight becomes the lowest code, or up to one less or two more, and as much with the other sign.
    let inverse = (f32(1u << (BITS - 1u)) + 1.0 - 0.4 * f32(t / 2u)) * select(1.0, -1.0, t % 2u == 0u);
    var product = 0.0;
    var square = 0.0;
    for (var j = 0u; j < count; j++) {
      let q = rounded(w[j], inverse);
      product = fma(w[j], q, product);
      square = fma(q, q, square);
    }
    if (product * product > best * square) {
      best = product * product / square;
      step = product / square;
    }
  }

  let to = chunk.target_row + row;
  let inverse = select(1.0 / step, 0.0, step == 0.0);
  let scale = select(largest * step, largest, step == 0.0); // 0, or what can not be rounded
  write_scale(to, group, bitcast<u32>(scale));
  let each = 32u / BITS;
  for (var i = 0u; i < count / each; i++) {
    var word = 0u;
    for (var j = 0u; j < each; j++) {
      let code = bitcast<u32>(i32(rounded(w[i * each + j], inverse)));
      word |= (code & ((1u << BITS) - 1u)) << (j * BITS);
    }
    write_codes(to, first / each + i, word);
  }
}
