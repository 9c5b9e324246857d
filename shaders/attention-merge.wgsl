// Puts together the spans of attention.wgsl for one row and one head. A row with a single span keeps its bits.
override SPAN: u32;
@group(0) @binding(0) var<storage, read> rows: array<Row>;
@group(0) @binding(1) var<storage, read> spans: array<vec4f>;   // as in attention.wgsl
@group(0) @binding(2) var<storage, read_write> out: array<f32>; // [rows][OUT_STRIDE]

@compute @workgroup_size(32)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let row = rows[group.y];
  let quads = sizes.HEAD_DIM / 4u;
  if (row.position >= row.limit || thread >= quads) { return; }
  let count = row.position / SPAN + 1u - first_seen(row.position) / SPAN;
  let step = sizes.Q_HEADS * (1u + quads);
  let first = (row.spans * sizes.Q_HEADS + group.x) * (1u + quads);
  var largest = spans[first].x;
  for (var i = 1u; i < count; i++) { largest = max(largest, spans[first + i * step].x); }
  var sum = 0.0;
  var o = vec4f(0);
  for (var i = 0u; i < count; i++) {
    let span = spans[first + i * step];
    let weight = select(exp(span.x - largest), 1.0, span.x == largest);
    sum = fma(weight, span.y, sum);
    o = fma(vec4f(weight), spans[first + i * step + 1u + thread], o);
  }
  let at = group.y * sizes.OUT_STRIDE + group.x * sizes.HEAD_DIM + 4u * thread;
  for (var j = 0u; j < 4u * row.one; j++) { out[at + j] = o[j] / sum; }
}
