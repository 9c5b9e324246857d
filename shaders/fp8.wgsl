// E4M3: [COLUMNS / 32][2][8 rows], a vec4u holding 16 columns, the first in the lowest bits.
const MIDDLE = 0.0; // see int4.wgsl
const PARTS = 2u;
const UNIT = 256.0; // as halves, their exponents have another bias
struct Codes { low: vec4u, high: vec4u } // of 32 columns

fn codes(row: u32, chunk: u32) -> Codes {
  return Codes(words(place_of(row, chunk, 0u)), words(place_of(row, chunk, 1u)));
}

fn four_of(w: u32) -> vec4f {
  let even = unpack2x16float(((w << 8u) & 0x80008000u) | ((w << 7u) & 0x3f803f80u));
  let odd = unpack2x16float((w & 0x80008000u) | ((w >> 1u) & 0x3f803f80u));
  return vec4f(even.x, odd.x, even.y, odd.y);
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
