// The source into the layout of f32.wgsl or, as they are, halves into that of bf16.wgsl and f16.wgsl. A thread takes eight columns of a row.
override HALVES: bool;
@group(0) @binding(2) var<storage, read_write> packed: array<vec4u>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  let i = id.y;
  if (row >= chunk.rows) { return; }
  var low: vec4u;
  var high: vec4u;
  for (var j = 0u; j < 4u; j++) {
    if (HALVES) {
      low[j] = half_bits(row, 8u * i + j);
      high[j] = half_bits(row, 8u * i + 4u + j);
    } else {
      low[j] = float_bits(row, 8u * i + j);
      high[j] = float_bits(row, 8u * i + 4u + j);
    }
  }
  let to = chunk.target_row + row;
  let block = (to / 8u) * ((sizes.COLUMNS + 7u) / 8u) + i;
  if (HALVES) {
    packed[block * 8u + to % 8u] = low | (high << vec4u(16u));
  } else {
    packed[block * 16u + to % 8u] = low;
    packed[block * 16u + 8u + to % 8u] = high;
  }
}
