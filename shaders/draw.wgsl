// Puts the summaries of a row's slices together and answers what the row asks: the distance of a given token, a token of the tail, or the
// next token, which is then fed next. A workgroup does one row.
override THREADS: u32; // a power of two
struct Result { // src/model/rows.ts reads it
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
var<workgroup> entries: u32; // of the list
var<workgroup> token: u32;  // NONE: one of the tail

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  if (thread == 0u) { here = rows[group.y]; }
  let row = workgroupUniformLoad(&here);
  if (row.position >= row.limit) { return; }
  let first = group.y * sizes.SLICES;

  // The largest logit, and how many buckets no slice has had to leave out.
  if (thread == 0u) {
    var top = Entry(slices[first].top, slices[first].maximum);
    for (var s = 1u; s < sizes.SLICES * row.one; s++) { // ids ascend with the slices
      if (slices[first + s].maximum > top.value) { top = Entry(slices[first + s].top, slices[first + s].maximum); }
    }
    var buckets = BUCKETS;
    for (var s = 0u; s < sizes.SLICES * row.one; s++) {
      if (slices[first + s].buckets < BUCKETS) {
        buckets = min(buckets, bucket(slices[first + s].maximum - top.value) + slices[first + s].buckets);
      }
    }
    most = top;
    whole = buckets;
  }
  let top = workgroupUniformLoad(&most);
  var limit = workgroupUniformLoad(&whole);
  if (sizes.SLICES > 1u) {
    for (var i = thread; i < sizes.SLICES * LIST * row.one; i += THREADS) {
      if (i % LIST < slices[first + i / LIST].count) {
        let b = bucket(slices[first + i / LIST].entries[i % LIST].value - top.value);
        if (b < BUCKETS) { atomicAdd(&counts[b], 1u); }
      }
    }
    workgroupBarrier();
    if (thread == 0u) { whole = whole_buckets(limit); }
    limit = workgroupUniformLoad(&whole);
  }

  // The list, and the sums over everything else. A thread takes neighbouring entries of the slices' lists.
  let part = (sizes.SLICES * LIST + THREADS - 1u) / THREADS;
  let end = min((thread + 1u) * part, sizes.SLICES * LIST);
  var sums = Sums();
  for (var s = thread; s < sizes.SLICES * row.one; s += THREADS) {
    sums = plus(sums, shifted(slices[first + s].sums, slices[first + s].maximum - top.value, row));
  }
  var mine = 0u;
  for (var i = thread * part; i < end * row.one; i++) {
    if (i % LIST >= slices[first + i / LIST].count) { continue; }
    let entry = slices[first + i / LIST].entries[i % LIST];
    let d = entry.value - top.value;
    if (bucket(d) < limit || entry.id == top.id) { mine++; } else { sums = plus(sums, term(d, row)); }
  }
  listed[thread] = mine;
  sums = total_of(sums, thread, row.one);
  var at = listed_before(thread);
  for (var i = thread * part; i < end * row.one; i++) {
    if (i % LIST >= slices[first + i / LIST].count) { continue; }
    let entry = slices[first + i / LIST].entries[i % LIST];
    let d = entry.value - top.value;
    if (bucket(d) < limit || entry.id == top.id) {
      list[at] = Entry(entry.id, d);
      at++;
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
    let picked = of_tail(select(random.z, row.word, row.ask == TAIL), group.y * sizes.VOCABULARY, top, limit, count, thread, row);
    if (thread == 0u) { token = picked; }
  }
  let answer = workgroupUniformLoad(&token);
  if (thread > 0u) { return; }
  var bad = 0u;
  for (var s = 0u; s < sizes.SLICES * row.one; s++) { bad |= slices[first + s].bad; }
  results[row.slot].token = answer;
  results[row.slot].distance = logits[group.y * sizes.VOCABULARY + min(answer, sizes.VOCABULARY - 1u)] - top.value;
  results[row.slot].bad = bad;
  results[row.slot].count = count;
  results[row.slot].sums = sums;
  if (row.ask == DRAW) { rows[group.y].token = answer; }
  rows[group.y].position = row.position + 1u;
  rows[group.y].slot = row.slot + row.stride;
}
