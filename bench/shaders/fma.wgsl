// Twelve independent chains x ← x · factor + addend, unrolled. Factor −1 makes x and addend − x take turns, exactly where both are
// small whole numbers: after an even number of rounds every chain is where it began, and the sum that is stored is known.
struct Task {
  rounds: u32,
  factor: f32,
  addend: f32,
}
@group(0) @binding(0) var<uniform> task: Task;
@group(0) @binding(1) var<storage, read_write> sums: array<f32>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let m = vec4f(task.factor);
  let c = vec4f(task.addend);
  let start = vec4f(f32(id.x & 255)) + vec4f(0, 1, 2, 3);
  var x0 = start + 0.0;
  var x1 = start + 4.0;
  var x2 = start + 8.0;
  for (var round = 0u; round < task.rounds; round += 8) {
    x0 = fma(x0, m, c); x1 = fma(x1, m, c); x2 = fma(x2, m, c);
    x0 = fma(x0, m, c); x1 = fma(x1, m, c); x2 = fma(x2, m, c);
    x0 = fma(x0, m, c); x1 = fma(x1, m, c); x2 = fma(x2, m, c);
    x0 = fma(x0, m, c); x1 = fma(x1, m, c); x2 = fma(x2, m, c);
    x0 = fma(x0, m, c); x1 = fma(x1, m, c); x2 = fma(x2, m, c);
    x0 = fma(x0, m, c); x1 = fma(x1, m, c); x2 = fma(x2, m, c);
    x0 = fma(x0, m, c); x1 = fma(x1, m, c); x2 = fma(x2, m, c);
    x0 = fma(x0, m, c); x1 = fma(x1, m, c); x2 = fma(x2, m, c);
  }
  let all = x0 + x1 + x2;
  sums[id.x] = all.x + all.y + all.z + all.w;
}
