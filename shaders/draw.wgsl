// Puts the summaries of a row's slices together and answers what the row asks: the distance of a given token, a token of the tail, or the
// next token, which is then fed next. A workgroup does one row.
//
// The draw is by inverse distribution function in the order of ids: a random number says which token of the list it is or that it is one of
// the others, and a second one which of those. The CPU draws again in f64 (src/tree/distribution.ts) and takes what the two agree on.
override VOCABULARY: u32;
override SLICES: u32;
override THREADS: u32; // a power of two
struct Result { // src/engine/rows.ts reads it
  token: u32,    // given or drawn
  distance: f32, // its d
  bad: u32,      // 1: a logit was NaN or infinite
  count: u32,    // of the entries
  sums: Sums,
  entries: array<Entry, LIST>, // in ascending order of ids, with d
}
@group(0) @binding(0) var<storage, read_write> rows: array<Row>;
@group(0) @binding(1) var<storage, read> logits: array<f32>;   // [rows][VOCABULARY]
@group(0) @binding(2) var<storage, read> slices: array<Slice>; // [rows][SLICES]
@group(0) @binding(3) var<storage, read_write> results: array<Result>;

var<workgroup> here: Row;
var<workgroup> most: Entry; // the largest logit
var<workgroup> whole: u32;  // buckets that are listed
var<workgroup> list: array<Entry, LIST>;
var<workgroup> entries: u32; // of the list
var<workgroup> weights: array<f32, LIST>; // e^(d / τ) of the list's entries; 0 where top-k or top-p leave them out
var<workgroup> token: u32;  // NONE: one of the tail
var<workgroup> masses: array<f32, THREADS>; // of the tail, a part each
const NONE = 0xffffffffu;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  if (thread == 0u) { here = rows[group.y]; }
  let row = workgroupUniformLoad(&here);
  if (row.position >= row.limit) { return; }
  let first = group.y * SLICES;

  // The largest logit, and how many buckets no slice has had to leave out.
  if (thread == 0u) {
    var top = Entry(slices[first].top, slices[first].maximum);
    for (var s = 1u; s < SLICES * row.one; s++) { // ids ascend with the slices
      if (slices[first + s].maximum > top.value) { top = Entry(slices[first + s].top, slices[first + s].maximum); }
    }
    var buckets = BUCKETS;
    for (var s = 0u; s < SLICES * row.one; s++) {
      if (slices[first + s].buckets < BUCKETS) {
        buckets = min(buckets, bucket(slices[first + s].maximum - top.value) + slices[first + s].buckets);
      }
    }
    most = top;
    whole = buckets;
  }
  let top = workgroupUniformLoad(&most);
  var limit = workgroupUniformLoad(&whole);
  for (var i = thread; i < SLICES * LIST * row.one; i += THREADS) {
    if (i % LIST < slices[first + i / LIST].count) {
      let b = bucket(slices[first + i / LIST].entries[i % LIST].value - top.value);
      if (b < BUCKETS) { atomicAdd(&counts[b], 1u); }
    }
  }
  workgroupBarrier();
  if (thread == 0u) { whole = whole_buckets(limit); }
  limit = workgroupUniformLoad(&whole);

  // The list, and the sums over everything else. A thread takes neighbouring slices.
  let part = (SLICES + THREADS - 1u) / THREADS;
  let end = min((thread + 1u) * part, SLICES);
  var sums = Sums();
  var mine = 0u;
  for (var s = thread * part; s < end * row.one; s++) {
    sums = plus(sums, shifted(slices[first + s].sums, slices[first + s].maximum - top.value, row));
    for (var i = 0u; i < slices[first + s].count; i++) {
      let entry = slices[first + s].entries[i];
      let d = entry.value - top.value;
      if (bucket(d) < limit || entry.id == top.id) { mine++; } else { sums = plus(sums, term(d, row)); }
    }
  }
  listed[thread] = mine;
  sums = total_of(sums, thread, row.one);
  var at = listed_before(thread);
  for (var s = thread * part; s < end * row.one; s++) {
    for (var i = 0u; i < slices[first + s].count; i++) {
      let entry = slices[first + s].entries[i];
      let d = entry.value - top.value;
      if (bucket(d) < limit || entry.id == top.id) {
        list[at] = Entry(entry.id, d);
        at++;
      }
    }
  }
  if (thread == THREADS - 1u) { entries = at; }
  let count = workgroupUniformLoad(&entries);
  for (var i = thread; i < count; i += THREADS) { results[row.slot].entries[i] = list[i]; }
  if (row.ask == DRAW) {
    for (var i = thread; i < count; i += THREADS) { weights[i] = kept(i, count, row) * exp(row.inverse_temperature * list[i].value); }
  }
  workgroupBarrier();
  let random = philox(vec4u(row.chain, row.step_candidate, row.position + 1u, 0u), vec2u(row.seed_low, row.seed_high));
  if (thread == 0u) {
    token = select(top.id, row.word, row.ask == GIVEN);
    if (row.ask == TAIL) { token = NONE; }
    if (row.ask == DRAW && row.inverse_temperature > 0.0) {
      token = of_list(random.x, count, select(sums.tempered, 0.0, row.top_k > 0u || row.top_p < 1.0), row);
    }
  }
  if (workgroupUniformLoad(&token) == NONE) {
    let picked = of_tail(select(random.z, row.word, row.ask == TAIL), group.y * VOCABULARY, top, limit, count, thread, row);
    if (thread == 0u) { token = picked; }
  }
  let answer = workgroupUniformLoad(&token);
  if (thread > 0u) { return; }
  var bad = 0u;
  for (var s = 0u; s < SLICES * row.one; s++) { bad |= slices[first + s].bad; }
  results[row.slot].token = answer;
  results[row.slot].distance = logits[group.y * VOCABULARY + min(answer, VOCABULARY - 1u)] - top.value;
  results[row.slot].bad = bad;
  results[row.slot].count = count;
  results[row.slot].sums = sums;
  if (row.ask == DRAW) { rows[group.y].token = answer; }
  rows[group.y].position = row.position + 1u;
  rows[group.y].slot = row.slot + row.stride;
}

// 1 for an entry that top-k and then top-p keep, else 0. Equal logits stand or fall together.
fn kept(entry: u32, count: u32, row: Row) -> f32 {
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
  let part = (VOCABULARY + THREADS - 1u) / THREADS;
  var mass = 0.0;
  for (var v = thread * part; v < min((thread + 1u) * part, VOCABULARY) * row.one; v++) {
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
    for (var v = mine * part; v < min((mine + 1u) * part, VOCABULARY) * row.one; v++) {
      let w = tail_weight(v, offset, top, limit, count, row);
      if (w == 0.0) { continue; }
      picked = v;
      below += w;
      if (goal < below) { break; }
    }
  }
  return picked;
}
