// Grouped-query attention of one row and SHARE query heads of one key head over the paged cache, with a running softmax over spans of
// positions. Within a span: a thread a position for the scores, then a thread four dimensions and every SLICES-th page for the
// values. The order of all sums depends on absolute positions alone.
override Q_HEADS: u32;
override KV_HEADS: u32;
override HEAD_DIM: u32; // a multiple of 4, at most 4 * THREADS
override PAGE: u32;
override OUT_STRIDE: u32;
override SHARE: u32; // divides Q_HEADS / KV_HEADS, at most MOST
const MOST = 8u;
const THREADS = 32u;
const SPAN = 256u; // a multiple of PAGE
const LOWEST = -3.4e38;
@group(0) @binding(0) var<storage, read> rows: array<Row>;
@group(0) @binding(1) var<storage, read> tables: array<u32>;
@group(0) @binding(2) var<storage, read> cache: array<vec4f>;      // pages as in qkv.wgsl
@group(0) @binding(3) var<storage, read> queries: array<vec4f>;    // [rows][Q_HEADS * HEAD_DIM]
@group(0) @binding(4) var<storage, read_write> out: array<f32>;    // [rows][OUT_STRIDE]

var<workgroup> attended: u32; // positions to attend to
var<workgroup> scores: array<f32, SPAN * SHARE>; // then e^(score - maximum)
var<workgroup> maxima: array<f32, THREADS * SHARE>;
var<workgroup> sums: array<f32, THREADS>;
var<workgroup> outputs: array<vec4f, THREADS>;

@compute @workgroup_size(32)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let head = group.x * SHARE; // the first of them
  let row = rows[group.y];
  if (thread == 0u) { attended = select(0u, row.position + 1u, row.position < row.limit); }
  let length = workgroupUniformLoad(&attended);

  let quads = HEAD_DIM / 4u;
  let slices = THREADS / quads;
  let quad = thread % quads;
  let slice = thread / quads;
  let kv_head = head / (Q_HEADS / KV_HEADS);
  let page_size = 2u * KV_HEADS * PAGE * quads; // in vec4f
  let keys = kv_head * PAGE * quads;
  let values = (KV_HEADS + kv_head) * PAGE * quads + quad;
  let query = (group.y * Q_HEADS + head) * quads;
  let scale = inverseSqrt(f32(HEAD_DIM));

  var maximum: array<f32, MOST>;
  var sum: array<f32, MOST>;
  var output: array<vec4f, MOST>;
  for (var h = 0u; h < SHARE; h++) { maximum[h] = LOWEST; }
  for (var start = 0u; start < length; start += SPAN) {
    let count = min(SPAN, length - start); // slots beyond hold anything, even NaN
    let table = row.table + start / PAGE;
    var largest = maximum;
    for (var t = thread; t < count; t += THREADS) {
      let key = tables[table + t / PAGE] * page_size + keys + t % PAGE;
      var s: array<f32, MOST>;
      for (var h = 0u; h < SHARE; h++) { s[h] = 0.0; } // said aloud: not every driver zeroes it in each turn of the loop
      for (var i = 0u; i < quads * row.one; i++) {
        let k = cache[key + i * PAGE];
        for (var h = 0u; h < SHARE; h++) {
          let q = queries[query + h * quads + i];
          s[h] = fma(k.x, q.x, fma(k.y, q.y, fma(k.z, q.z, fma(k.w, q.w, s[h]))));
        }
      }
      for (var h = 0u; h < SHARE; h++) {
        scores[h * SPAN + t] = s[h] * scale;
        largest[h] = max(largest[h], s[h] * scale);
      }
    }
    for (var h = 0u; h < SHARE; h++) { maxima[h * THREADS + thread] = largest[h]; }
    workgroupBarrier();

    for (var h = 0u; h < SHARE; h++) {
      for (var t = 0u; t < THREADS * row.one; t++) { largest[h] = max(largest[h], maxima[h * THREADS + t]); }
      let decay = exp(maximum[h] - largest[h]);
      maximum[h] = largest[h];
      sum[h] *= decay;
      output[h] *= decay;
      for (var t = thread; t < count; t += THREADS) { scores[h * SPAN + t] = exp(scores[h * SPAN + t] - largest[h]); }
    }
    workgroupBarrier();

    if (slice < slices) {
      for (var first = slice * PAGE; first < count; first += slices * PAGE) {
        let page = tables[table + first / PAGE] * page_size + values;
        let slots = min(PAGE, count - first);
        for (var slot = 0u; slot < slots; slot++) {
          let value = cache[page + slot * quads];
          for (var h = 0u; h < SHARE; h++) {
            let weight = scores[h * SPAN + first + slot];
            sum[h] += weight;
            output[h] = fma(vec4f(weight), value, output[h]);
          }
        }
      }
    }
    workgroupBarrier();
  }

  for (var h = 0u; h < SHARE; h++) {
    sums[thread] = sum[h];
    outputs[thread] = output[h];
    workgroupBarrier();
    if (thread < quads) {
      var s = 0.0;
      var o = vec4f(0);
      for (var j = 0u; j < slices * row.one; j++) {
        s += sums[j * quads + thread];
        o += outputs[j * quads + thread];
      }
      let at = group.y * OUT_STRIDE + (head + h) * HEAD_DIM + 4u * thread;
      for (var j = 0u; j < 4u * row.one; j++) { out[at + j] = o[j] / s; }
    }
    workgroupBarrier();
  }
}
