// A pattern whose sum is known: word i is i · 2654435761 + 12345, modulo 2^32.
@group(0) @binding(0) var<storage, read_write> data: array<u32>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var i = id.x; i < arrayLength(&data); i += groups.x * 256) {
    data[i] = i * 2654435761 + 12345;
  }
}
