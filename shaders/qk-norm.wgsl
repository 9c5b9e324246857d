// RMSNorm of each head of the queries and keys, then the rotary embedding, and the write of the keys into the paged cache: what qkv.wgsl
// leaves to do where heads are normed. A workgroup does one head of one row; a thread, pairs of dimensions (i, i + HALF).
override PAGE: u32;
override THREADS: u32;
@group(0) @binding(0) var<storage, read> rows: array<Row>;
@group(0) @binding(1) var<storage, read> tables: array<u32>;
@group(0) @binding(2) var<storage, read> rotary: array<vec2f>;      // [position][HALF] (cos, sin)
@group(0) @binding(3) var<storage, read> norm_weights: array<f32>;  // [2][HEAD_DIM]: q_norm, k_norm
@group(0) @binding(4) var<storage, read> projected: array<f32>;     // [rows][Q_HEADS + KV_HEADS][HEAD_DIM]
@group(0) @binding(5) var<storage, read_write> cache: array<f32>;   // pages as in qkv.wgsl
@group(0) @binding(6) var<storage, read_write> queries: array<f32>; // [rows][Q_HEADS * HEAD_DIM]
var<workgroup> squares: array<f32, THREADS>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let row = rows[group.y];
  let head = group.x;
  let half = sizes.HEAD_DIM / 2u;
  let start = (group.y * (sizes.Q_HEADS + sizes.KV_HEADS) + head) * sizes.HEAD_DIM;
  var square = 0.0;
  for (var i = thread; i < sizes.HEAD_DIM * row.one; i += THREADS) {
    square = fma(projected[start + i], projected[start + i], square);
  }
  squares[thread] = square;
  workgroupBarrier();
  var sum = 0.0;
  for (var t = 0u; t < THREADS * row.one; t++) { sum += squares[t]; }
  let factor = inverseSqrt(sum / f32(sizes.HEAD_DIM) + sizes.EPSILON);

  let is_key = head >= sizes.Q_HEADS;
  if (is_key && (row.position < row.valid || row.position >= row.limit)) { return; }
  let g = select(0u, sizes.HEAD_DIM, is_key);
  for (var i = thread; i < half * row.one; i += THREADS) {
    let x = vec2f(projected[start + i], projected[start + i + half]);
    let y = x * factor * vec2f(norm_weights[g + i], norm_weights[g + i + half]);
    let r = rotary[row.position * half + i];
    let turned = vec2f(fma(y.x, r.x, -(y.y * r.y)), fma(y.y, r.x, y.x * r.y));
    if (is_key) {
      let keys = (tables[row.table + row.position / PAGE] * 2u * sizes.KV_HEADS + head - sizes.Q_HEADS) * PAGE * sizes.HEAD_DIM;
      let slot = row.position % PAGE;
      cache[keys + (i / 4u * PAGE + slot) * 4u + i % 4u] = turned.x;
      cache[keys + ((i + half) / 4u * PAGE + slot) * 4u + (i + half) % 4u] = turned.y;
    } else {
      let at = (group.y * sizes.Q_HEADS + head) * sizes.HEAD_DIM + i;
      queries[at] = turned.x;
      queries[at + half] = turned.y;
    }
  }
}
