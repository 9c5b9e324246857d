// Copies the buffer `turns` times, each workgroup a block of its own, each time with the lanes of 32 vectors in another order: the
// loads differ from turn to turn and none can be saved. After the last turn vector i is vector i ^ ((turns − 1) & 31) of the source.
struct Task {
  block: u32,
  turns: u32,
}
@group(0) @binding(0) var<uniform> task: Task;
@group(0) @binding(1) var<storage, read> source: array<vec4u>;
@group(0) @binding(2) var<storage, read_write> copied: array<vec4u>;

override LANES: u32;

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_id) lane: vec3u, @builtin(workgroup_id) group: vec3u) {
  let begin = group.x * task.block;
  for (var turn = 0u; turn < task.turns; turn++) {
    for (var i = begin + lane.x; i < begin + task.block; i += LANES) {
      copied[i] = source[i ^ (turn & 31)];
    }
  }
}
