// Grouped-query attention of SHARE query heads of one key head over one span of positions of the paged cache: the span's largest
// score, and with weights e^(score - largest) their sum and the weighted sum of the values. Where a row has more than one span,
// attention-merge.wgsl puts them together. A row's spans begin with the first that it sees any of. With TEAM = 1 a workgroup does one
// row. With more it does the spans that so many neighbouring rows have in common, forks of one prefix, whose keys and values are then
// read once. Queries and weights, which all threads need, each lane loads a share of, see lanes.wgsl. The order of all sums depends on
// absolute positions alone.
override PAGE: u32;
override KV_BF16: bool;
override SHARE: u32;  // divides Q_HEADS / KV_HEADS
override TEAM: u32;   // SHARE * TEAM is at most MOST
override WHOLE: bool; // every row has one span at most: write the attention itself
override SPAN: u32;   // a multiple of PAGE
override THREADS: u32; // at least MOST
override PARTS: u32;  // THREADS and HEAD_DIM / 8, rounded up, are at most that
const MOST = 8u;
const LOWEST = -3.4e38;
@group(0) @binding(0) var<storage, read> rows: array<Row>;
@group(0) @binding(1) var<storage, read> tables: array<u32>;
@group(0) @binding(2) var<storage, read> cache: array<vec4u>;    // pages as in cache.wgsl
@group(0) @binding(3) var<storage, read> queries: array<vec4f>;  // [rows][Q_HEADS * HEAD_DIM]
@group(0) @binding(4) var<storage, read_write> out: array<f32>;  // [rows][OUT_STRIDE]
@group(0) @binding(5) var<storage, read_write> spans: array<vec4f>; // [Row.spans + span][Q_HEADS][1 + HEAD_DIM / 4]: (largest, sum), values

var<workgroup> attended: u32; // positions to attend to
var<workgroup> weights: array<vec4f, SPAN / 4u * SHARE * TEAM>; // [SHARE * TEAM][SPAN]: scores, then e^(score - largest)
var<workgroup> largest: array<f32, THREADS * SHARE * TEAM>; // [SHARE * TEAM][THREADS]
var<workgroup> most: array<f32, MOST>; // of all threads
var<workgroup> sums: array<f32, SHARE * TEAM * THREADS>; // [SHARE * TEAM][slices]
var<workgroup> outputs: array<vec4f, SHARE * TEAM * PARTS * 2u>; // [SHARE * TEAM][slices][HEAD_DIM / 8, rounded up][2]

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let head = group.x * SHARE; // the first of them
  let first_row = group.y * TEAM;
  let row = rows[first_row];
  let begin = first_seen(row.position);
  let span = begin / SPAN + group.z;
  let start = span * SPAN;
  if (thread == 0u) {
    let of_team = span < row.team_spans && sizes.WINDOW == 0u; // neighbours see spans from different positions on
    attended = select(0u, row.position + 1u, row.position < row.limit && of_team == (TEAM > 1u));
  }
  let length = workgroupUniformLoad(&attended);
  if (start >= length) { return; }
  let count = min(SPAN, length - start); // slots beyond hold anything, even NaN
  let unseen = select(0u, max(start, begin) - start, sizes.WINDOW > 0u);
  let first_four = unseen / 4u;
  let fours = (count + 3u) / 4u;

  let quads = sizes.HEAD_DIM / 4u;
  let pairs = (quads + 1u) / 2u;
  let kv_head = head / (sizes.Q_HEADS / sizes.KV_HEADS);
  let words = select(quads, pairs, KV_BF16); // of a head at a position, in vec4u
  let page_size = 2u * sizes.KV_HEADS * PAGE * words;
  let table = row.table + start / PAGE;
  let scale = inverseSqrt(f32(sizes.HEAD_DIM));
  let of_lane = lane();

  // Scores: a thread takes four positions at a time. Those for which none are left repeat the last ones.
  var m: array<f32, MOST>;
  for (var h = 0u; h < SHARE * TEAM; h++) { m[h] = LOWEST; }
  for (var base = first_four; base < fours; base += THREADS) {
    let four = min(base + thread, fours - 1u);
    let key = tables[table + 4u * four / PAGE] * page_size + kv_head * PAGE * words + 4u * four % PAGE;
    var s: array<vec4f, MOST>; // a component a position
    for (var h = 0u; h < SHARE * TEAM; h++) { s[h] = vec4f(0); }
    for (var first = 0u; first < words * row.one; first += LANES) {
      var q: array<vec4f, MOST>; // this lane's
      var q_high: array<vec4f, MOST>;
      for (var h = 0u; h < SHARE * TEAM; h++) {
        let of_head = ((first_row + h / SHARE) * sizes.Q_HEADS + head + h % SHARE) * quads;
        q[h] = queries[of_head + first + of_lane];
        if (KV_BF16) { q_high[h] = second_half(of_head, first + of_lane); }
      }
      for (var i = 0u; i < LANES && first + i < words; i++) {
        let at = key + (first + i) * PAGE;
        let a = cache[at];
        let b = cache[at + 1u];
        let c = cache[at + 2u];
        let d = cache[at + 3u];
        for (var h = 0u; h < SHARE * TEAM; h++) {
          let query = from_lane(q[h], i);
          if (KV_BF16) {
            s[h] = dots(s[h], low(a), low(b), low(c), low(d), query);
            s[h] = dots(s[h], high(a), high(b), high(c), high(d), from_lane(q_high[h], i));
          } else {
            s[h] = dots(s[h], bitcast<vec4f>(a), bitcast<vec4f>(b), bitcast<vec4f>(c), bitcast<vec4f>(d), query);
          }
        }
      }
    }
    let slot = vec4u(4u * four) + vec4u(0u, 1u, 2u, 3u);
    let there = (slot >= vec4u(unseen)) & (slot < vec4u(count));
    for (var h = 0u; h < SHARE * TEAM; h++) {
      let scores = select(vec4f(LOWEST), s[h] * scale, there);
      if (base + thread < fours) { weights[h * SPAN / 4u + four] = scores; }
      m[h] = max(m[h], max(max(scores.x, scores.y), max(scores.z, scores.w)));
    }
  }
  for (var h = 0u; h < SHARE * TEAM; h++) { largest[h * THREADS + thread] = m[h]; }
  workgroupBarrier();
  if (thread < SHARE * TEAM) {
    var l = LOWEST;
    for (var t = 0u; t < THREADS * row.one; t++) { l = max(l, largest[thread * THREADS + t]); }
    most[thread] = l;
  }
  workgroupBarrier();
  for (var h = 0u; h < SHARE * TEAM; h++) { m[h] = most[h]; }
  for (var four = first_four + thread; four < fours; four += THREADS) {
    for (var h = 0u; h < SHARE * TEAM; h++) {
      let scores = weights[h * SPAN / 4u + four];
      weights[h * SPAN / 4u + four] = select(exp(scores - m[h]), vec4f(0), scores == vec4f(LOWEST));
    }
  }
  workgroupBarrier();

  // Values: a thread takes eight dimensions and, of the positions, every so-many-th four.
  let slices = max(1u, THREADS / pairs);
  let step = THREADS / slices;
  let slice = thread / step;
  for (var base = 0u; base < pairs; base += step) {
    let pair = min(base + thread % step, pairs - 1u);
    let second = min(1u, quads - 1u - 2u * pair); // an odd quad at the end stands alone
    let values = (sizes.KV_HEADS + kv_head) * PAGE * words + select(2u * pair, pair, KV_BF16);
    var sum: array<f32, MOST>;
    var first_sum: array<vec4f, MOST>;
    var second_sum: array<vec4f, MOST>;
    for (var h = 0u; h < SHARE * TEAM; h++) {
      sum[h] = 0.0;
      first_sum[h] = vec4f(0);
      second_sum[h] = vec4f(0);
    }
    let wide = select(1u, LANES, slices == 1u); // fours that a lane each loads the weights of
    for (var block = first_four; block < fours; block += wide * slices) {
      var held: array<vec4f, MOST>;
      for (var h = 0u; h < SHARE * TEAM; h++) {
        held[h] = weights[h * SPAN / 4u + min(block + select(slice, of_lane, wide > 1u), fours - 1u)];
      }
      for (var i = 0u; i < wide && block + i < fours; i++) {
        let next = block + i + slice;
        let four = min(next, fours - 1u);
        let first = tables[table + 4u * four / PAGE] * page_size + values + 4u * four % PAGE * words;
        var w: array<vec4f, MOST>;
        for (var h = 0u; h < SHARE * TEAM; h++) {
          w[h] = from_lane(held[h], select(of_lane, i, wide > 1u));
          if (next >= fours) { w[h] = vec4f(0); }
        }
        for (var j = 0u; j < 4u; j++) {
          // A position beyond the last has weight 0, but what stands there may be NaN.
          let at = first + min(j, count - 1u - 4u * four) * words;
          let value = cache[at];
          let l = select(bitcast<vec4f>(value), low(value), KV_BF16);
          var r = high(value);
          if (!KV_BF16) { r = bitcast<vec4f>(cache[at + second]); }
          for (var h = 0u; h < SHARE * TEAM; h++) {
            sum[h] += w[h][j];
            first_sum[h] = fma(vec4f(w[h][j]), l, first_sum[h]);
            second_sum[h] = fma(vec4f(w[h][j]), r, second_sum[h]);
          }
        }
      }
    }
    if (slice < slices && base + thread % step < pairs) {
      for (var h = 0u; h < SHARE * TEAM; h++) {
        let at = (h * slices + slice) * pairs + pair;
        if (pair == 0u) { sums[h * slices + slice] = sum[h]; }
        outputs[2u * at] = first_sum[h];
        outputs[2u * at + 1u] = second_sum[h];
      }
    }
  }
  workgroupBarrier();
  for (var item = thread; item < SHARE * TEAM * quads * row.one; item += THREADS) {
    let h = item / quads;
    let quad = item % quads;
    var total = 0.0;
    var o = vec4f(0);
    for (var slice = 0u; slice < slices * row.one; slice++) {
      total += sums[h * slices + slice];
      o += quad_of(2u * (h * slices + slice) * pairs, quad);
    }
    if (WHOLE) {
      let at = first_row * sizes.OUT_STRIDE + (head + h) * sizes.HEAD_DIM + 4u * quad;
      for (var j = 0u; j < 4u * row.one; j++) { out[at + j] = o[j] / total; }
    } else {
      let slot = rows[first_row + h / SHARE].spans + group.z;
      let at = (slot * sizes.Q_HEADS + head + h % SHARE) * (1u + quads);
      if (quad == 0u) { spans[at] = vec4f(most[h], total, 0.0, 0.0); }
      spans[at + 1u + quad] = o;
    }
  }
}

// Of four positions' keys.
fn dots(sum: vec4f, a: vec4f, b: vec4f, c: vec4f, d: vec4f, q: vec4f) -> vec4f {
  return vec4f(dot4(sum.x, a, q), dot4(sum.y, b, q), dot4(sum.z, c, q), dot4(sum.w, d, q));
}

fn dot4(sum: f32, a: vec4f, b: vec4f) -> f32 {
  return fma(a.x, b.x, fma(a.y, b.y, fma(a.z, b.z, fma(a.w, b.w, sum))));
}

// Of four pairs of bf16.
fn low(word: vec4u) -> vec4f { return bitcast<vec4f>(word << vec4u(16u)); }
fn high(word: vec4u) -> vec4f { return bitcast<vec4f>(word & vec4u(0xffff0000u)); }

// What of a head of queries meets the high halves: from dimension HEAD_DIM / 2 + 4 i on. Beyond the head's end stand another row's.
fn second_half(head: u32, i: u32) -> vec4f {
  let at = head + sizes.HEAD_DIM / 8u + i;
  let q = queries[at];
  if (sizes.HEAD_DIM % 8u == 0u) { return q; }
  return vec4f(q.zw, select(vec2f(0), queries[at + 1u].xy, i < sizes.HEAD_DIM / 8u));
}

// Dimensions 4 quad, … of the outputs that begin at first.
fn quad_of(first: u32, quad: u32) -> vec4f {
  if (!KV_BF16) { return outputs[first + quad]; }
  var o: vec4f;
  for (var j = 0u; j < 4u; j++) {
    let half = sizes.HEAD_DIM / 2u;
    let i = (4u * quad + j) % half;
    o[j] = outputs[first + i / 4u * 2u + (4u * quad + j) / half][i % 4u];
  }
  return o;
}
