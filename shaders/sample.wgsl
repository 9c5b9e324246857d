// Draws each row's next token by Gumbel-max and sums up the distribution it came from. A workgroup does one row.
//
// With m the largest logit (at index top) and d = l − m, the sums leave out the top entry, whose term is 1 (or 0 in mean), so
// that a nearly certain token keeps its full relative precision; the CPU takes the logarithms in f64:
//   log p = d − log1p(base),   log q = d / τ − log1p(tempered),   log Z_α = log1p(sharp) − α log1p(base),
//   entropy = log1p(base) − mean / (1 + base).
struct Result {
  token: u32,
  bad: u32,      // 1: a logit was NaN or infinite
  distance: f32, // d of the token
  base: f32,     // Σ e^d
  mean: f32,     // Σ d e^d
  sharp: f32,    // Σ e^(α d)
  tempered: f32, // Σ e^(d / τ) over the tokens kept by top-k and top-p
  reserved: u32,
}
override VOCABULARY: u32;
override THREADS: u32;
override RING: u32;      // results a row
override TRUNCATE: bool; // whether any row uses top-k or top-p
@group(0) @binding(0) var<storage, read_write> rows: array<Row>;
@group(0) @binding(1) var<storage, read> logits: array<f32>;        // [rows][VOCABULARY]
@group(0) @binding(2) var<storage, read_write> ring: array<Result>; // [rows][RING]
@group(0) @binding(3) var<uniform> one: u32;                        // 1, see Slab in weights.wgsl

var<workgroup> totals: array<vec4f, THREADS>;
var<workgroup> best_score: array<f32, THREADS>;
var<workgroup> best_index: array<u32, THREADS>;
const LOWEST = -3.4e38;

// Every thread's contribution, added pairwise in a fixed order. Ends with a barrier: all threads see the total.
fn total(value: vec4f, thread: u32) -> vec4f {
  totals[thread] = value;
  for (var n = THREADS / 2u * one; n > 0u; n /= 2u) {
    workgroupBarrier();
    if (thread < n) { totals[thread] += totals[thread + n]; }
  }
  workgroupBarrier();
  let sum = totals[0];
  workgroupBarrier();
  return sum;
}

// The index with the largest score; the lowest such index on a tie.
fn arg_max(score: f32, index: u32, thread: u32) -> u32 {
  best_score[thread] = score;
  best_index[thread] = index;
  for (var n = THREADS / 2u * one; n > 0u; n /= 2u) {
    workgroupBarrier();
    if (thread < n) {
      let s = best_score[thread + n];
      let i = best_index[thread + n];
      if (s > best_score[thread] || (s == best_score[thread] && i < best_index[thread])) {
        best_score[thread] = s;
        best_index[thread] = i;
      }
    }
  }
  workgroupBarrier();
  let index_of_best = best_index[0];
  workgroupBarrier();
  return index_of_best;
}

// Philox 4x32-10 (Salmon et al., 2011).
fn multiply_high(a: u32, b: u32) -> u32 {
  let low = (a & 0xffffu) * (b & 0xffffu);
  let middle = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
  let other = (a & 0xffffu) * (b >> 16u) + (middle & 0xffffu);
  return (a >> 16u) * (b >> 16u) + (middle >> 16u) + (other >> 16u);
}
fn philox(start: vec4u, seed: vec2u) -> vec4u {
  var c = start;
  var key = seed;
  for (var round = 0u; round < 10u * one; round++) {
    c = vec4u(multiply_high(0xCD9E8D57u, c.z) ^ c.y ^ key.x, 0xCD9E8D57u * c.z,
              multiply_high(0xD2511F53u, c.x) ^ c.w ^ key.y, 0xD2511F53u * c.x);
    key += vec2u(0x9E3779B9u, 0xBB67AE85u);
  }
  return c;
}

// −log(E) with E = −log(1 − u) and u = (bits + ½) / 2^32. WGSL's log is good to 2^-21 near 1 only: there by series.
fn gumbel(bits: u32) -> f32 {
  if (bits < (1u << 26u)) {
    let u = (f32(bits) + 0.5) * 0x1p-32;
    return -log(u * (1.0 + u * (0.5 + u * (1.0 / 3.0 + u * (0.25 + u * 0.2)))));
  }
  return -log(-log((f32(~bits) + 0.5) * 0x1p-32));
}

// An integer that orders as the float does.
fn order(value: f32) -> u32 {
  let bits = bitcast<u32>(value);
  return select(bits | 0x80000000u, ~bits, (bits & 0x80000000u) != 0u);
}

// The smallest logit (as order()) that top-k, then top-p keep, built bit by bit; equal logits stand or fall together.
fn threshold(row: Row, offset: u32, top: f32, thread: u32) -> u32 {
  var keep = 0u;
  for (var bit = 0x80000000u; bit > 0u; bit >>= one) {
    var count = 0.0; // exact up to 2^24 entries
    for (var v = thread; v < VOCABULARY * one; v += THREADS) {
      if (order(logits[offset + v]) >= (keep | bit)) { count += 1.0; }
    }
    if (total(vec4f(count), thread).x >= f32(row.top_k) && row.top_k > 0u) { keep |= bit; }
  }
  let k = keep;
  keep = 0u;
  var whole = 0.0;
  for (var v = thread; v < VOCABULARY * one; v += THREADS) {
    if (order(logits[offset + v]) >= k) { whole += exp((logits[offset + v] - top) * row.inverse_temperature); }
  }
  let wanted = row.top_p * total(vec4f(whole), thread).x;
  for (var bit = 0x80000000u; bit > 0u; bit >>= one) {
    var mass = 0.0;
    for (var v = thread; v < VOCABULARY * one; v += THREADS) {
      let key = order(logits[offset + v]);
      if (key >= k && key >= (keep | bit)) { mass += exp((logits[offset + v] - top) * row.inverse_temperature); }
    }
    if (total(vec4f(mass), thread).x >= wanted && row.top_p < 1.0) { keep |= bit; }
  }
  return max(k, keep);
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let row = rows[group.y];
  let offset = group.y * VOCABULARY;

  var largest = LOWEST;
  var index = 0u;
  var bad = 0.0;
  for (var v = thread; v < VOCABULARY * one; v += THREADS) {
    let l = logits[offset + v];
    if ((bitcast<u32>(l) & 0x7f800000u) == 0x7f800000u) { bad = 1.0; } // the compiler may assume that l == l
    if (l > largest) {
      largest = l;
      index = v;
    }
  }
  bad = total(vec4f(bad), thread).x;
  let top = arg_max(largest, index, thread);
  let m = logits[offset + top];
  var kept = 0u;
  if (TRUNCATE) { kept = threshold(row, offset, m, thread); }

  var sums = vec4f(0); // base, mean, sharp, tempered
  largest = LOWEST;
  index = top;
  for (var four = thread; four < (VOCABULARY + 3u) / 4u * one; four += THREADS) {
    let bits = philox(vec4u(row.chain, row.step_candidate, row.position + 1u, four), vec2u(row.seed_low, row.seed_high));
    for (var j = 0u; j < 4u * one; j++) {
      let v = 4u * four + j;
      if (v >= VOCABULARY) { break; }
      let l = logits[offset + v];
      let d = l - m;
      let keep = order(l) >= kept;
      if (v != top) {
        let e = exp(d);
        let tempered = select(0.0, exp(row.inverse_temperature * d), keep);
        sums = vec4f(sums.x + e, fma(d, e, sums.y), sums.z + exp(row.alpha * d), sums.w + tempered);
      }
      let score = fma(d, row.inverse_temperature, gumbel(bits[j]));
      if (keep && score > largest) {
        largest = score;
        index = v;
      }
    }
  }
  let sum = total(sums, thread);
  let drawn = arg_max(largest, index, thread);

  if (thread == 0u && row.position < row.limit) {
    var token = select(top, drawn, row.inverse_temperature > 0.0);
    if (row.given != NONE) { token = row.given; }
    ring[group.y * RING + row.slot] =
      Result(token, u32(bad > 0.0), logits[offset + token] - m, sum.x, sum.y, sum.z, sum.w, 0u);
    rows[group.y].token = token;
    rows[group.y].position = row.position + 1u;
    rows[group.y].slot = row.slot + 1u;
  }
}
