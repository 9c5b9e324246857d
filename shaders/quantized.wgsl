// A matrix of codes, see int4.wgsl, int8.wgsl and fp8.wgsl: w = round((code - zero) * scale), with a scale for each row and GROUP neighbouring
// columns. For every eight rows there are their codes, then their scales in f32, [groups / 4][8 rows] of four groups, then with ZEROS
// their zero points [groups / 4][8 rows], a byte each, from which MIDDLE is to be subtracted.
override ZEROS: bool;
override ROUNDING: u32; // what the product is rounded to: 0 f32, 1 f16, 2 bf16

fn groups() -> u32 { return (sizes.COLUMNS + sizes.GROUP - 1u) / sizes.GROUP; }
fn quads() -> u32 { return (groups() + 3u) / 4u; } // of groups
fn chunks() -> u32 { return (sizes.COLUMNS + 31u) / 32u; }

// Where eight rows begin, and where 32 of their columns stand: in vec4u.
fn rows_at(row: u32) -> u32 {
  return row / 8u * (8u * PARTS * chunks() + select(8u, 10u, ZEROS) * quads());
}
fn place_of(row: u32, chunk: u32, part: u32) -> u32 { return rows_at(row) + (chunk * PARTS + part) * 8u + row % 8u; }

// Of groups 4 quad, …
fn scales(row: u32, quad: u32) -> vec4f {
  return bitcast<vec4f>(words(rows_at(row) + 8u * (PARTS * chunks() + quad) + row % 8u));
}

fn zero(row: u32, group: u32) -> f32 {
  if (!ZEROS) { return 0.0; }
  let at = group / 4u * 8u + row % 8u;
  let word = words(rows_at(row) + 8u * (PARTS * chunks() + quads()) + at / 4u)[at % 4u];
  return f32((word >> (group % 4u * 8u)) & 255u) - MIDDLE;
}

// Whole numbers round the bits: an adapter may reorder sums of floats. Halves below 2^-14 are 2^-24 apart.
fn rounded(v: vec4f) -> vec4f {
  if (ROUNDING == 0u) { return v; }
  let bits = bitcast<vec4u>(v);
  if (ROUNDING == 2u) {
    return bitcast<vec4f>((bits + vec4u(0x7fffu) + ((bits >> vec4u(16u)) & vec4u(1u))) & vec4u(0xffff0000u));
  }
  let half = bitcast<vec4f>((bits + vec4u(0xfffu) + ((bits >> vec4u(13u)) & vec4u(1u))) & vec4u(0xffffe000u));
  return select(half, round(v * 0x1p24) * 0x1p-24, abs(v) < vec4f(0x1p-14));
}

fn dequantized(c: Eight, scale: f32, zero: f32) -> Eight {
  return Eight(rounded((c.low * UNIT - zero) * scale), rounded((c.high * UNIT - zero) * scale));
}

fn weights8(row: u32, i: u32) -> Eight {
  let group = 8u * i / sizes.GROUP;
  return dequantized(codes8(row, i), scales(row, group / 4u)[group % 4u], zero(row, group));
}
