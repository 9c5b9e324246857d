// Copies pages of the KV cache within a layer's buffer, which WebGPU's own copies cannot do.
@group(0) @binding(0) var<storage, read> pages: array<vec2u>; // (from, to)
@group(0) @binding(1) var<storage, read_write> cache: array<vec4f>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= sizes.PAGE_QUADS) { return; }
  let page = pages[id.y];
  cache[page.y * sizes.PAGE_QUADS + id.x] = cache[page.x * sizes.PAGE_QUADS + id.x];
}
