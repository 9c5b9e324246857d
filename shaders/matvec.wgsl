// products[m] = four rows of the weights times x[m], for TILE rows of activations: one reading of the weights serves all.
// For adapters without subgroups (or with fewer than eight lanes): every thread loads the activations itself.
override TILE: u32; // at most MOST
override THREADS: u32;
const MOST = 8u;
@group(0) @binding(2) var<storage, read> x: array<vec4f>;
var<private> products: array<vec4f, MOST>;

fn x1(i: u32) -> f32 { return x[i / 4u][i % 4u]; }

fn peers() -> u32 { return THREADS; }

fn place(group: vec3u, thread: u32) -> Place {
  return Place(group.x * THREADS + thread, group.y * TILE, thread, true);
}

// n: rows of the weights; start: index in x, in f32, of the first activation of the first row; stride: between rows. Both multiples of eight.
fn multiply(n: vec4u, start: u32, stride: u32, thread: u32) {
  for (var m = 0u; m < TILE; m++) { products[m] = vec4f(0); }
  for (var i = 0u; i < blocks() * slab.one; i++) {
    let a = weights8(n.x, i);
    let b = weights8(n.y, i);
    let c = weights8(n.z, i);
    let d = weights8(n.w, i);
    for (var m = 0u; m < TILE; m++) {
      let at = (start + m * stride) / 4u + 2u * i;
      products[m] = dot8x4(products[m], a, b, c, d, x[at], x[at + 1u]);
    }
  }
}
