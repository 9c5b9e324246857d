// Each thread adds up vectors and stores one word, so nothing that is read can be dropped. A workgroup reads a block of `block`
// consecutive vectors, then one ODD blocks further on, and so on: all together go through the whole buffer, and no thread soon
// meets an address again, so that no load can be moved out of the loop. `length` and `block` are powers of two.
struct Task {
  length: u32,
  block: u32,
  loads: u32,
}
@group(0) @binding(0) var<uniform> task: Task;
@group(0) @binding(1) var<storage, read> data: array<vec4u>;
@group(0) @binding(2) var<storage, read_write> sums: array<u32>;

override LANES: u32;
const ODD = 17u;

@compute @workgroup_size(LANES)
fn main(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(local_invocation_id) lane: vec3u,
  @builtin(workgroup_id) group: vec3u,
) {
  let shift = countTrailingZeros(task.block);
  var p = vec4u();
  var q = vec4u();
  var r = vec4u();
  var s = vec4u();
  for (var load = 0u; load < task.loads; load += 4) {
    let j = load * LANES + lane.x;
    let turn = j >> shift;
    let at = (((group.x + turn * ODD) << shift) + (j & (task.block - 1))) & (task.length - 1);
    p += data[at];
    q += data[at + LANES];
    r += data[at + 2 * LANES];
    s += data[at + 3 * LANES];
  }
  let all = p + q + r + s;
  sums[id.x] = all.x + all.y + all.z + all.w;
}
