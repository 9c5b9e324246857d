// A projection back into the residual stream (o_proj, down_proj): h += W · x, and what the norm that follows needs.
override BIAS: bool; // h += W · x + bias
@group(0) @binding(3) var<storage, read> norm_weight: array<f32>;
@group(0) @binding(4) var<storage, read_write> stream: array<f32>; // as in stream.wgsl
@group(0) @binding(5) var<storage, read> bias: array<f32>; // with BIAS, else anything

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let p = place(group, thread);
  let n = outputs(p.quad);
  multiply(min(n, vec4u(slab.count - 1u)), p.row * 8u * blocks(), 8u * blocks(), thread);
  if (!p.finishes || p.quad / 8u * 32u >= slab.count) { return; }
  for (var m = 0u; m < TILE * slab.one; m++) {
    let row = (p.row + m) * stream_stride();
    var square = 0.0;
    for (var j = 0u; j < 4u * slab.one; j++) {
      if (n[j] >= slab.count) { continue; }
      let at = row + slab.first + n[j];
      var h = stream[at] + products[m][j];
      if (BIAS) { h += bias[slab.first + n[j]]; }
      stream[at] = h;
      stream[at + stream_half()] = h * norm_weight[slab.first + n[j]];
      square = fma(h, h, square);
    }
    stream[row + 2u * stream_half() + slab.first / 4u + p.quad] = square;
  }
}
