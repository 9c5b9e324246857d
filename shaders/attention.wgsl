// Grouped-query attention of one row and one query head over the paged cache, one pass with a running softmax. Positions are
// taken in blocks of 64 counted from 0: first a thread a position for the scores, then a thread four dimensions and
// every SLICES-th position for the values. The order of all sums depends on absolute positions alone.
override Q_HEADS: u32;
override KV_HEADS: u32;
override HEAD_DIM: u32; // a multiple of 4, at most 256
override PAGE: u32;
override OUT_STRIDE: u32;
const BLOCK = 64u;
const LOWEST = -3.4e38;
@group(0) @binding(0) var<storage, read> rows: array<Row>;
@group(0) @binding(1) var<storage, read> tables: array<u32>;
@group(0) @binding(2) var<storage, read> cache: array<vec4f>;      // pages as in qkv.wgsl
@group(0) @binding(3) var<storage, read> queries: array<vec4f>;    // [rows][Q_HEADS * HEAD_DIM]
@group(0) @binding(4) var<storage, read_write> out: array<f32>;    // [rows][OUT_STRIDE]

var<workgroup> attended: u32; // positions to attend to
var<workgroup> scores: array<f32, BLOCK>;
var<workgroup> weights: array<f32, BLOCK>; // e^(score - maximum)
var<workgroup> sums: array<f32, BLOCK>;
var<workgroup> outputs: array<vec4f, BLOCK>;

fn page_start(table: u32, position: u32) -> u32 { // in vec4f
  return tables[table + position / PAGE] * 2u * KV_HEADS * PAGE * (HEAD_DIM / 4u);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let head = group.x;
  let row = rows[group.y];
  if (thread == 0u) { attended = select(0u, row.position + 1u, row.position < row.limit); }
  let length = workgroupUniformLoad(&attended);

  let quads = HEAD_DIM / 4u;
  let slices = BLOCK / quads;
  let quad = thread % quads;
  let slice = thread / quads;
  let kv_head = head / (Q_HEADS / KV_HEADS);
  let query = (group.y * Q_HEADS + head) * quads;
  let scale = inverseSqrt(f32(HEAD_DIM));

  var maximum = LOWEST;
  var sum = 0.0;
  var output = vec4f(0);
  for (var start = 0u; start < length; start += BLOCK) {
    let t = start + thread;
    var score = LOWEST;
    if (t < length) {
      let keys = page_start(row.table, t) + kv_head * PAGE * quads + t % PAGE;
      var s = 0.0;
      for (var i = 0u; i < quads; i++) {
        let k = cache[keys + i * PAGE];
        let q = queries[query + i];
        s = fma(k.x, q.x, fma(k.y, q.y, fma(k.z, q.z, fma(k.w, q.w, s))));
      }
      score = s * scale;
    }
    scores[thread] = score;
    workgroupBarrier();

    var block_maximum = maximum;
    for (var j = 0u; j < BLOCK; j++) { block_maximum = max(block_maximum, scores[j]); }
    let decay = exp(maximum - block_maximum);
    maximum = block_maximum;
    sum *= decay;
    output *= decay;
    weights[thread] = exp(score - maximum);
    workgroupBarrier();

    if (slice < slices) {
      let count = min(BLOCK, length - start); // slots beyond hold anything, even NaN
      for (var j = slice; j < count; j += slices) {
        let values = page_start(row.table, start + j) + ((KV_HEADS + kv_head) * PAGE + (start + j) % PAGE) * quads;
        sum += weights[j];
        output = fma(vec4f(weights[j]), cache[values + quad], output);
      }
    }
  }

  sums[thread] = sum;
  outputs[thread] = output;
  workgroupBarrier();
  if (thread < quads) {
    var s = 0.0;
    var o = vec4f(0);
    for (var j = 0u; j < slices; j++) {
      s += sums[j * quads + thread];
      o += outputs[j * quads + thread];
    }
    let at = group.y * OUT_STRIDE + head * HEAD_DIM + 4u * thread;
    for (var j = 0u; j < 4u; j++) { out[at + j] = o[j] / s; }
  }
}
