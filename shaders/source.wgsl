// Rows of a plain tensor as they stand in the file, row-major.
struct Chunk { rows: u32, target_row: u32 } // the chunk's row r goes to row target_row + r of the matrix
override SOURCE: u32; // 0: f32, 1: bf16, 2: f16
@group(0) @binding(0) var<uniform> chunk: Chunk;
@group(0) @binding(1) var<storage, read> source: array<u32>;

// The bits of an element of 16 bits; zero in the padding.
fn half_bits(row: u32, column: u32) -> u32 {
  if (column >= sizes.COLUMNS) { return 0u; }
  let i = row * sizes.COLUMNS + column;
  return (source[i / 2u] >> (16u * (i % 2u))) & 0xffffu;
}

// An element's bits as f32, exactly; zero in the padding.
fn float_bits(row: u32, column: u32) -> u32 {
  if (column >= sizes.COLUMNS) { return 0u; }
  if (SOURCE == 0u) { return source[row * sizes.COLUMNS + column]; }
  let bits = half_bits(row, column);
  if (SOURCE == 1u) { return bits << 16u; }
  let sign = (bits & 0x8000u) << 16u;
  let exponent = (bits >> 10u) & 31u;
  let fraction = bits & 1023u;
  if (exponent == 0u) { return sign | bitcast<u32>(f32(fraction) * 0x1p-24); } // subnormal in f16, normal in f32
  if (exponent == 31u) { return sign | 0x7f800000u | (fraction << 13u); }
  return sign | ((exponent + 112u) << 23u) | (fraction << 13u);
}
