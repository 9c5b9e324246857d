// Queries, keys and values of a layer: normed stream times [q_proj; k_proj; v_proj], bias, rotary embedding, and the write of
// keys and values into the paged cache. A thread computes two pairs of dimensions (i, i + HALF) that rotate together. Slabs are
// counted in heads, over q, k and v. Where heads are normed, queries and keys are left for qk-norm.wgsl as they are.
// Cache page: keys [KV_HEADS][HEAD_DIM / 4][PAGE][4], then values [KV_HEADS][PAGE][HEAD_DIM].
override PAGE: u32;
override QK_NORM: bool;
@group(0) @binding(3) var<storage, read> bias: array<f32>;          // [(Q_HEADS + 2 KV_HEADS) * HEAD_DIM]
@group(0) @binding(4) var<storage, read> rotary: array<vec2f>;      // [position][HALF] (cos, sin)
@group(0) @binding(5) var<storage, read> rows: array<Row>;
@group(0) @binding(6) var<storage, read> tables: array<u32>;        // page numbers, see Row.table
@group(0) @binding(7) var<storage, read_write> cache: array<f32>;
@group(0) @binding(8) var<storage, read_write> queries: array<f32>; // [rows][Q_HEADS * HEAD_DIM], with QK_NORM and keys [Q_HEADS + KV_HEADS]

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let p = place(group, thread);
  norms(p, thread);
  let half = sizes.HEAD_DIM / 2u;
  let left = sizes.Q_HEADS + select(0u, sizes.KV_HEADS, QK_NORM); // heads that go to queries
  let first = p.quad / 8u * 16u + p.quad % 8u;
  let pairs = min(vec2u(first, first + 8u), vec2u(slab.count * half - 1u)); // the last threads repeat the last pair
  let n = pairs / half * sizes.HEAD_DIM + pairs % half;
  multiply(vec4u(n, n + half), p.row * stream_stride() + stream_half(), stream_stride(), thread);
  if (!p.finishes) { return; }
  for (var j = 0u; j < 2u * slab.one; j++) {
    let head = slab.first + pairs[j] / half;
    let i = pairs[j] % half;
    let b = vec2f(bias[head * sizes.HEAD_DIM + i], bias[head * sizes.HEAD_DIM + i + half]);
    for (var m = 0u; m < TILE * slab.one; m++) {
      let row = rows[p.row + m];
      let y = fma(vec2f(products[m][j], products[m][j + 2u]), vec2f(factors[m]), b);
      let r = rotary[row.position * half + i];
      let turned = select(vec2f(fma(y.x, r.x, -(y.y * r.y)), fma(y.y, r.x, y.x * r.y)), y, QK_NORM);
      if (head < left) {
        let at = ((p.row + m) * left + head) * sizes.HEAD_DIM + i;
        queries[at] = turned.x;
        queries[at + half] = turned.y;
      } else if (row.position >= row.valid && row.position < row.limit) {
        let page = tables[row.table + row.position / PAGE] * 2u * sizes.KV_HEADS * PAGE * sizes.HEAD_DIM;
        let slot = row.position % PAGE;
        if (head < sizes.Q_HEADS + sizes.KV_HEADS) {
          let keys = page + (head - sizes.Q_HEADS) * PAGE * sizes.HEAD_DIM;
          cache[keys + (i / 4u * PAGE + slot) * 4u + i % 4u] = turned.x;
          cache[keys + ((i + half) / 4u * PAGE + slot) * 4u + (i + half) % 4u] = turned.y;
        } else {
          let values = page + ((head - sizes.Q_HEADS) * PAGE + slot) * sizes.HEAD_DIM;
          cache[values + i] = y.x;
          cache[values + i + half] = y.y;
        }
      }
    }
  }
}
