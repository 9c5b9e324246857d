// Activations whose columns change places before a matrix with an order of its own is multiplied by them; what else a row has stays.
// Where a matrix holds two, each with an order, there are two of each row, SECOND words apart.
@group(0) @binding(0) var<storage, read> order: array<u32>; // [orders][COLUMNS], where each goes
@group(0) @binding(1) var<storage, read> source: array<f32>; // [rows][OUT_STRIDE]
@group(0) @binding(2) var<storage, read_write> permuted: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= sizes.OUT_STRIDE) { return; }
  let column = id.x - sizes.FIRST; // below it wraps round
  var to = id.x;
  if (column < sizes.COLUMNS) { to = sizes.FIRST + order[id.z * sizes.COLUMNS + column]; }
  permuted[id.z * sizes.SECOND + id.y * sizes.OUT_STRIDE + to] = source[id.y * sizes.OUT_STRIDE + id.x];
}
