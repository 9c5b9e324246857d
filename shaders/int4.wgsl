// Codes of four bits, two's complement: [COLUMNS / 32][8 rows], a vec4u holding 32 columns, the first in the lowest bits.
const MIDDLE = 8.0; // what is subtracted from an unsigned code to make it signed
const PARTS = 1u;
// What a code is, as a share of what eight() makes of it: its bits are moved to the top of a word, and none has to be cleared above them.
const UNIT = 0x1p-28;
struct Codes { words: vec4u } // of 32 columns

fn codes(row: u32, chunk: u32) -> Codes { return Codes(words(place_of(row, chunk, 0u))); }

fn eight_of(w: u32) -> Eight {
  let low = vec4u(w << 28u, w << 24u, w << 20u, w << 16u) & vec4u(0xf0000000u);
  let high = vec4u(w << 12u, w << 8u, w << 4u, w) & vec4u(0xf0000000u);
  return Eight(vec4f(bitcast<vec4i>(low)), vec4f(bitcast<vec4i>(high)));
}

// Columns 8k … 8k + 7 of 32.
fn eight(c: Codes, k: u32) -> Eight { return eight_of(c.words[k]); }

// Eight columns alone.
fn codes8(row: u32, i: u32) -> Eight { return eight_of(words(place_of(row, i / 4u, 0u))[i % 4u]); }
