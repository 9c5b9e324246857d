// The residual stream starts as the token's embedding: h = E[token], and g∘h for the first norm. A thread does eight columns.
// The embedding may lie in several slabs of rows; the dispatch over each writes the rows whose tokens it holds.
@group(0) @binding(2) var<storage, read> rows: array<Row>;
@group(0) @binding(3) var<storage, read> norm_weight: array<f32>;        // [COLUMNS]
@group(0) @binding(4) var<storage, read_write> stream: array<f32>;       // [rows][h | g∘h]

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let token = rows[id.y].token;
  if (id.x >= blocks() || token < slab.first || token >= slab.first + slab.count) { return; }
  let e = weights8(token - slab.first, id.x);
  let width = 8u * blocks();
  for (var j = 0u; j < 8u * slab.one; j++) {
    let column = 8u * id.x + j;
    if (column >= COLUMNS) { return; }
    let h = select(e.high, e.low, vec4<bool>(j < 4u))[j % 4u];
    stream[id.y * 2u * width + column] = h;
    stream[id.y * 2u * width + width + column] = h * norm_weight[column];
  }
}
