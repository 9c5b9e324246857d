// Codes of eight bits, two's complement: [COLUMNS / 32][2][8 rows], a vec4u holding 16 columns, the first in the lowest bits.
const MIDDLE = 128.0; // see int4.wgsl
const PARTS = 2u;
const UNIT = 0x1p-24; // see int4.wgsl
struct Codes { low: vec4u, high: vec4u } // of 32 columns

fn codes(row: u32, chunk: u32) -> Codes {
  return Codes(words(place_of(row, chunk, 0u)), words(place_of(row, chunk, 1u)));
}

fn four_of(w: u32) -> vec4f {
  return vec4f(bitcast<vec4i>(vec4u(w << 24u, w << 16u, w << 8u, w) & vec4u(0xff000000u)));
}

// Columns 8k … 8k + 7 of 32.
fn eight(c: Codes, k: u32) -> Eight {
  let w = select(c.high, c.low, vec4<bool>(k < 2u));
  return Eight(four_of(w[k % 2u * 2u]), four_of(w[k % 2u * 2u + 1u]));
}

// Eight columns alone.
fn codes8(row: u32, i: u32) -> Eight {
  let w = words(place_of(row, i / 4u, i / 2u % 2u));
  let j = i % 2u * 2u;
  return Eight(four_of(w[j]), four_of(w[j + 1u]));
}
