// Rows of a matrix as they stand in the file, row-major, into the interleaved layout of weights.wgsl. A thread takes eight columns of a
// row. F16 becomes f32, exactly.
struct Chunk { rows: u32, target_row: u32 } // the chunk's row r goes to row target_row + r
override SOURCE: u32; // 0: bf16 to bf16, 1: f16 to f32, 2: f32 to f32, 3: bf16 to f32
@group(0) @binding(0) var<uniform> chunk: Chunk;
@group(0) @binding(1) var<storage, read> source: array<u32>;
@group(0) @binding(2) var<storage, read_write> packed: array<vec4u>;

// The element's bits in the target's type; zero in the padding.
fn element(row: u32, column: u32) -> u32 {
  if (column >= sizes.COLUMNS) { return 0u; }
  let i = row * sizes.COLUMNS + column;
  if (SOURCE == 2u) { return source[i]; }
  let bits = (source[i / 2u] >> (16u * (i % 2u))) & 0xffffu;
  if (SOURCE == 0u) { return bits; }
  if (SOURCE == 3u) { return bits << 16u; }
  let sign = (bits & 0x8000u) << 16u;
  let exponent = (bits >> 10u) & 31u;
  let fraction = bits & 1023u;
  if (exponent == 0u) { return sign | bitcast<u32>(f32(fraction) * 0x1p-24); } // subnormal in f16, normal in f32
  if (exponent == 31u) { return sign | 0x7f800000u | (fraction << 13u); }
  return sign | ((exponent + 112u) << 23u) | (fraction << 13u);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  let i = id.y;
  if (row >= chunk.rows) { return; }
  var low: vec4u;
  var high: vec4u;
  for (var j = 0u; j < 4u; j++) {
    low[j] = element(row, 8u * i + j);
    high[j] = element(row, 8u * i + 4u + j);
  }
  let to = chunk.target_row + row;
  let block = (to / 8u) * ((sizes.COLUMNS + 7u) / 8u) + i;
  if (SOURCE == 0u) {
    packed[block * 8u + to % 8u] = low | (high << vec4u(16u));
  } else {
    packed[block * 16u + to % 8u] = low;
    packed[block * 16u + 8u + to % 8u] = high;
  }
}
