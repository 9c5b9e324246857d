// A token by inverse distribution function, in the order of ids: a random word says which entry of the list it is, or that it is one of the
// tail, and another one which of those. In f32: the CPU draws again in f64 (src/tree/distribution.ts) and keeps what the two agree on.
const NONE = 0xffffffffu;
var<workgroup> list: array<Entry, LIST>; // with d, in ascending order of ids
var<workgroup> weights: array<f32, LIST>; // e^(d / τ) of the list's entries; 0 where top-k or top-p leave them out
var<workgroup> masses: array<f32, THREADS>; // of the tail, a part each

// 1 for an entry that top-k and then top-p keep, else 0. Equal logits stand or fall together.
fn kept(entry: u32, count: u32, row: Row) -> f32 {
  if (row.top_k == 0u && row.top_p >= 1.0) { return 1.0; }
  let d = list[entry].value;
  var above = 0u;
  for (var i = 0u; i < count; i++) { above += u32(list[i].value > d); }
  if (row.top_k > 0u && above >= row.top_k) { return 0.0; }
  if (row.top_p >= 1.0) { return 1.0; }
  var mass = 0.0; // of those above
  var all = 0.0;
  for (var i = 0u; i < count; i++) {
    var higher = 0u;
    for (var j = 0u; j < count; j++) { higher += u32(list[j].value > list[i].value); }
    if (row.top_k > 0u && higher >= row.top_k) { continue; }
    let w = exp(row.inverse_temperature * list[i].value);
    all += w;
    mass += select(0.0, w, list[i].value > d);
  }
  return select(0.0, 1.0, mass < row.top_p * all);
}

// In (0, 1).
fn uniform_of(word: u32) -> f32 { return (f32(word >> 8u) + 0.5) * 0x1p-24; }

// The entry of the list that a random word falls on, or NONE: the tail, whose mass is tail.
fn of_list(word: u32, count: u32, tail: f32, row: Row) -> u32 {
  var total = tail;
  for (var i = 0u; i < count; i++) { total += weights[i]; }
  let goal = uniform_of(word) * total;
  var below = 0.0;
  var last = NONE; // that has any weight
  for (var i = 0u; i < count; i++) {
    if (weights[i] == 0.0) { continue; }
    below += weights[i];
    last = list[i].id;
    if (goal < below) { return last; }
  }
  return select(last, NONE, tail > 0.0);
}

// e^(d / τ) of a token of the tail, 0 for one that is listed.
fn tail_weight(v: u32, offset: u32, top: Entry, limit: u32, count: u32, row: Row) -> f32 {
  let d = logits[offset + v] - top.value;
  if (bucket(d) < limit || v == top.id) {
    for (var i = 0u; i < count; i++) {
      if (list[i].id == v) { return 0.0; }
    }
  }
  return exp(row.inverse_temperature * d);
}

// The token of the tail that a random word falls on. Each thread sums up a part of the row.
fn of_tail(word: u32, offset: u32, top: Entry, limit: u32, count: u32, thread: u32, row: Row) -> u32 {
  let part = (sizes.VOCABULARY + THREADS - 1u) / THREADS;
  var mass = 0.0;
  for (var v = thread * part; v < min((thread + 1u) * part, sizes.VOCABULARY) * row.one; v++) {
    mass += tail_weight(v, offset, top, limit, count, row);
  }
  masses[thread] = mass;
  workgroupBarrier();
  var picked = NONE;
  if (thread == 0u) {
    var total = 0.0;
    for (var t = 0u; t < THREADS * row.one; t++) { total += masses[t]; }
    let goal = uniform_of(word) * total;
    var below = 0.0;
    var mine = 0u; // the part that the word falls on, or else the last that has any weight
    var start = 0.0;
    for (var t = 0u; t < THREADS * row.one; t++) {
      if (masses[t] == 0.0) { continue; }
      mine = t;
      start = below;
      below += masses[t];
      if (goal < below) { break; }
    }
    below = start;
    for (var v = mine * part; v < min((mine + 1u) * part, sizes.VOCABULARY) * row.one; v++) {
      let w = tail_weight(v, offset, top, limit, count, row);
      if (w == 0.0) { continue; }
      picked = v;
      below += w;
      if (goal < below) { break; }
    }
  }
  return picked;
}
