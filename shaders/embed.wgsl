// The residual stream starts as the token's embedding. A thread does eight columns, and two sums of squares: all in the first.
// The embedding may lie in several slabs of rows; the dispatch over each writes the rows whose tokens it holds.
@group(0) @binding(2) var<storage, read> rows: array<Row>;
@group(0) @binding(3) var<storage, read> norm_weight: array<f32>;  // [COLUMNS]
@group(0) @binding(4) var<storage, read_write> stream: array<f32>; // as in stream.wgsl

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let token = rows[id.y].token;
  if (2u * id.x >= stream_squares() || token < slab.first || token >= slab.first + slab.count) { return; }
  let e = weights8(token - slab.first, min(id.x, blocks() - 1u));
  let row = id.y * stream_stride();
  var square = 0.0;
  for (var j = 0u; j < 8u * slab.one; j++) {
    let column = 8u * id.x + j;
    if (column >= sizes.COLUMNS) { break; }
    let h = select(e.high, e.low, vec4<bool>(j < 4u))[j % 4u];
    stream[row + column] = h;
    stream[row + stream_half() + column] = h * norm_weight[column];
    square = fma(h, h, square);
  }
  stream[row + 2u * stream_half() + 2u * id.x] = square;
  stream[row + 2u * stream_half() + 2u * id.x + 1u] = 0.0;
}
