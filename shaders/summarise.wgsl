// The summary of one slice of a row of logits, counted from its own maximum. draw.wgsl puts the slices together. A workgroup does one slice.
override SLICE: u32;   // logits
override THREADS: u32; // a power of two
@group(0) @binding(0) var<storage, read> rows: array<Row>;
@group(0) @binding(1) var<storage, read> logits: array<f32>;          // [rows][VOCABULARY]
@group(0) @binding(2) var<storage, read_write> slices: array<Slice>;  // [rows][SLICES]

var<workgroup> here: Row;
var<workgroup> largest: array<Entry, THREADS>;
var<workgroup> any_bad: atomic<u32>;
var<workgroup> buckets: u32;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  if (thread == 0u) { here = rows[group.y]; }
  let row = workgroupUniformLoad(&here);
  if (row.position >= row.limit) { return; }
  let offset = group.y * sizes.VOCABULARY;
  // A thread takes neighbouring logits, so that entries come in the order of their ids.
  let part = (min(SLICE, sizes.VOCABULARY) + THREADS - 1u) / THREADS;
  let first = group.x * SLICE + thread * part;
  let end = min(first + part, min(group.x * SLICE + SLICE, sizes.VOCABULARY));

  var most = Entry(0xffffffffu, LOWEST);
  for (var v = first; v < end * row.one; v++) {
    let l = logits[offset + v];
    if ((bitcast<u32>(l) & 0x7f800000u) == 0x7f800000u) { atomicOr(&any_bad, 1u); } // the compiler may assume that l == l
    if (l > most.value) { most = Entry(v, l); }
  }
  largest[thread] = most;
  for (var n = THREADS / 2u * row.one; n > 0u; n /= 2u) {
    workgroupBarrier();
    if (thread < n) {
      let a = largest[thread];
      let b = largest[thread + n];
      if (b.value > a.value || (b.value == a.value && b.id < a.id)) { largest[thread] = b; }
    }
  }
  most = workgroupUniformLoad(&largest[0]);

  for (var v = first; v < end * row.one; v++) {
    let b = bucket(logits[offset + v] - most.value);
    if (b < BUCKETS) { atomicAdd(&counts[b], 1u); }
  }
  workgroupBarrier();
  if (thread == 0u) { buckets = whole_buckets(BUCKETS); }
  let whole = workgroupUniformLoad(&buckets);

  var sums = Sums();
  var mine = 0u;
  for (var v = first; v < end * row.one; v++) {
    let d = logits[offset + v] - most.value;
    if (bucket(d) < whole || v == most.id) {
      mine++;
    } else {
      sums = plus(sums, term(d, row));
    }
  }
  listed[thread] = mine;
  sums = total_of(sums, thread, row.one);

  let slice = group.y * sizes.SLICES + group.x;
  var at = listed_before(thread);
  if (thread == THREADS - 1u) { slices[slice].count = at + mine; }
  for (var v = first; v < select(first, end, mine > 0u) * row.one; v++) {
    let l = logits[offset + v];
    if (bucket(l - most.value) < whole || v == most.id) {
      slices[slice].entries[at] = Entry(v, l);
      at++;
    }
  }
  if (thread == 0u) {
    slices[slice].maximum = most.value;
    slices[slice].top = most.id;
    slices[slice].bad = atomicLoad(&any_bad);
    slices[slice].buckets = whole;
    slices[slice].sums = sums;
  }
}
