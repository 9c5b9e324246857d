// Draws each row's next token from the summaries that lm-head.wgsl and truncate.wgsl left, and moves the row on. A workgroup does one row.
struct Result {
  token: u32,
  bad: u32,      // 1: a logit was NaN or infinite
  distance: f32, // d of the token; this and the sums as in statistics.wgsl
  base: f32,
  mean: f32,
  sharp: f32,
  tempered: f32, // over the tokens kept by top-k and top-p
  reserved: u32,
}
override PARTS: u32;
override RING: u32; // results a row
const THREADS = 32u;
@group(0) @binding(0) var<storage, read_write> rows: array<Row>;
@group(0) @binding(1) var<storage, read> parts: array<Statistics>;  // [rows][PARTS + 1]
@group(0) @binding(2) var<storage, read_write> ring: array<Result>; // [rows][RING]
@group(0) @binding(3) var<storage, read> given: array<f32>;         // [rows]: the logit of the token to score
@group(0) @binding(4) var<uniform> one: u32;                        // 1, see Slab in weights.wgsl

var<workgroup> merging: array<Statistics, THREADS>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let row = rows[group.y];
  var s = nothing();
  for (var part = thread; part < PARTS * one; part += THREADS) {
    s = merge(s, parts[group.y * (PARTS + 1u) + part], row.alpha, row.inverse_temperature);
  }
  merging[thread] = s;
  for (var step = THREADS / 2u * one; step > 0u; step /= 2u) {
    workgroupBarrier();
    if (thread < step) { merging[thread] = merge(merging[thread], merging[thread + step], row.alpha, row.inverse_temperature); }
  }
  if (thread > 0u || row.position >= row.limit) { return; }
  s = merging[0];
  if (truncated(row)) { // the distribution is still that of all tokens
    let kept = parts[group.y * (PARTS + 1u) + PARTS];
    s.token = kept.token;
    s.logit = kept.logit;
    s.tempered = kept.tempered;
  }
  var token = select(s.top, s.token, row.inverse_temperature > 0.0);
  var logit = select(s.maximum, s.logit, row.inverse_temperature > 0.0);
  if (row.given != NONE) {
    token = row.given;
    logit = given[group.y];
  }
  ring[group.y * RING + row.slot] = Result(token, u32(s.top == BAD), logit - s.maximum, s.base, s.mean, s.sharp, s.tempered, 0u);
  rows[group.y].token = token;
  rows[group.y].position = row.position + 1u;
  rows[group.y].slot = row.slot + 1u;
}
