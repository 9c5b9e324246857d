// The normed stream times the LM head (or the tied embedding), and what sampling needs to know of these logits: they themselves go
// to memory only for rows with top-k or top-p. A thread computes four neighbouring logits, REPEAT times, and leaves one summary a row; on a
// GPU, whose threads are many, a workgroup does.
override VOCABULARY: u32;
override REPEAT: u32;
override PARTS: u32;   // summaries a row
override MERGE: bool;  // one a workgroup
@group(0) @binding(3) var<storage, read> rows: array<Row>;
@group(0) @binding(4) var<storage, read_write> parts: array<Statistics>; // [rows][PARTS + 1]
@group(0) @binding(5) var<storage, read_write> given: array<f32>;        // [rows]: the logit of the token to score
@group(0) @binding(6) var<storage, read_write> logits: array<f32>;       // [rows][VOCABULARY], where row is truncated

var<workgroup> merging: array<Statistics, THREADS>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let first = place(group, thread);
  norms(first, thread);
  var seen: array<Statistics, MOST>;
  for (var m = 0u; m < TILE; m++) { seen[m] = nothing(); }
  let quads = (slab.count + 3u) / 4u - group.x * THREADS * REPEAT;
  for (var c = 0u; c < min(REPEAT, (quads + THREADS - 1u) / THREADS); c++) {
    let quad = (group.x * REPEAT + c) * THREADS + thread;
    let n = 4u * quad + vec4u(0u, 1u, 2u, 3u);
    multiply(min(n, vec4u(slab.count - 1u)), first.row * stream_stride() + stream_half(), stream_stride(), thread);
    for (var m = 0u; m < TILE * slab.one; m++) {
      let row = rows[first.row + m];
      let l = products[m] * factors[m];
      let four = slab.first / 4u + quad;
      if (n.x < slab.count) {
        let s = of_four(l, four, slab.count - n.x, noise4(row, four), row.alpha, row.inverse_temperature);
        seen[m] = merge(seen[m], s, row.alpha, row.inverse_temperature);
      }
      let there = n < vec4u(slab.count);
      let is_given = there & (4u * four + vec4u(0u, 1u, 2u, 3u) == vec4u(row.given));
      if (any(is_given)) { given[first.row + m] = l[row.given % 4u]; }
      if (truncated(row)) {
        for (var j = 0u; j < 4u * slab.one; j++) {
          if (there[j]) { logits[(first.row + m) * VOCABULARY + 4u * four + j] = l[j]; }
        }
      }
    }
  }
  let part = slab.first / (4u * THREADS * REPEAT) + group.x;
  for (var m = 0u; m < TILE; m++) {
    var s = seen[m];
    if (MERGE) {
      let row = rows[first.row + m];
      for (var step = 1u * slab.one; step < THREADS; step *= 2u) {
        merging[thread] = s;
        workgroupBarrier();
        if (thread % (2u * step) == 0u) { s = merge(s, merging[thread + step], row.alpha, row.inverse_temperature); }
        workgroupBarrier();
      }
      if (thread == 0u) { parts[(first.row + m) * (PARTS + 1u) + part] = s; }
    } else {
      parts[(first.row + m) * (PARTS + 1u) + part * THREADS + thread] = s;
    }
  }
}
