// For rows with top-k or top-p: which logits they keep, and a draw from these alone, left where draw.wgsl finds it. A workgroup does one row.
override VOCABULARY: u32;
override THREADS: u32;
override PARTS: u32;
@group(0) @binding(0) var<storage, read> rows: array<Row>;
@group(0) @binding(1) var<storage, read> logits: array<f32>;             // [rows][VOCABULARY]
@group(0) @binding(2) var<storage, read_write> parts: array<Statistics>; // [rows][PARTS + 1], the last one for this

var<workgroup> here: Row;
var<workgroup> adding: array<f32, THREADS>;
var<workgroup> merging: array<Statistics, THREADS>;

// Every thread's contribution, added pairwise in a fixed order. Ends with a barrier: all threads see the total.
fn total(value: f32, thread: u32, one: u32) -> f32 {
  adding[thread] = value;
  for (var n = THREADS / 2u * one; n > 0u; n /= 2u) {
    workgroupBarrier();
    if (thread < n) { adding[thread] += adding[thread + n]; }
  }
  return workgroupUniformLoad(&adding[0]);
}

fn largest(value: f32, thread: u32, one: u32) -> f32 {
  adding[thread] = value;
  for (var n = THREADS / 2u * one; n > 0u; n /= 2u) {
    workgroupBarrier();
    if (thread < n) { adding[thread] = max(adding[thread], adding[thread + n]); }
  }
  return workgroupUniformLoad(&adding[0]);
}

// An integer that orders as the float does.
fn order(value: f32) -> u32 {
  let bits = bitcast<u32>(value);
  return select(bits | 0x80000000u, ~bits, (bits & 0x80000000u) != 0u);
}

// The smallest logit (as order()) that top-k, then top-p keep, built bit by bit; equal logits stand or fall together.
fn threshold(row: Row, offset: u32, top: f32, thread: u32) -> u32 {
  var keep = 0u;
  for (var bit = 0x80000000u; bit > 0u; bit >>= row.one) {
    var count = 0.0; // exact up to 2^24 entries
    for (var v = thread; v < VOCABULARY * row.one; v += THREADS) {
      if (order(logits[offset + v]) >= (keep | bit)) { count += 1.0; }
    }
    if (total(count, thread, row.one) >= f32(row.top_k) && row.top_k > 0u) { keep |= bit; }
  }
  let k = keep;
  keep = 0u;
  var whole = 0.0;
  for (var v = thread; v < VOCABULARY * row.one; v += THREADS) {
    if (order(logits[offset + v]) >= k) { whole += exp((logits[offset + v] - top) * row.inverse_temperature); }
  }
  let wanted = row.top_p * total(whole, thread, row.one);
  for (var bit = 0x80000000u; bit > 0u; bit >>= row.one) {
    var mass = 0.0;
    for (var v = thread; v < VOCABULARY * row.one; v += THREADS) {
      let key = order(logits[offset + v]);
      if (key >= k && key >= (keep | bit)) { mass += exp((logits[offset + v] - top) * row.inverse_temperature); }
    }
    if (total(mass, thread, row.one) >= wanted && row.top_p < 1.0) { keep |= bit; }
  }
  return max(k, keep);
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  if (thread == 0u) { here = rows[group.y]; }
  let row = workgroupUniformLoad(&here);
  if (!truncated(row)) { return; }
  let offset = group.y * VOCABULARY;
  var most = LOWEST;
  for (var v = thread; v < VOCABULARY * row.one; v += THREADS) { most = max(most, logits[offset + v]); }
  let kept = threshold(row, offset, largest(most, thread, row.one), thread);

  var s = nothing();
  for (var four = thread; four < (VOCABULARY + 3u) / 4u * row.one; four += THREADS) {
    let noise = noise4(row, four);
    for (var j = 0u; j < 4u * row.one; j++) {
      let v = 4u * four + j;
      if (v >= VOCABULARY) { break; }
      let l = logits[offset + v];
      if (order(l) < kept) { continue; }
      s = merge(s, Statistics(l, v, 0, 0, 0, 0, v, l, noise[j]), row.alpha, row.inverse_temperature);
    }
  }
  merging[thread] = s;
  for (var n = THREADS / 2u * row.one; n > 0u; n /= 2u) {
    workgroupBarrier();
    if (thread < n) { merging[thread] = merge(merging[thread], merging[thread + n], row.alpha, row.inverse_temperature); }
  }
  if (thread == 0u) { parts[group.y * (PARTS + 1u) + PARTS] = merging[0]; }
}
