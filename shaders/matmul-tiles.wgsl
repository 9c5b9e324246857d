// products[m] = four rows of the weights times x[m], for many rows of activations on a GPU: a workgroup computes 128 outputs of 64 rows.
// Sixteen columns of both at a time go through workgroup memory; a thread keeps the sums of a quad of outputs and eight rows in registers.
const TILE = 8u;
const THREADS = 256u;
const MOST = 8u;
@group(0) @binding(2) var<storage, read> x: array<vec4f>;
var<private> products: array<vec4f, MOST>;
var<workgroup> w_tile: array<vec4f, 512>; // [16 columns][32 quads], a component an output
var<workgroup> x_tile: array<vec4f, 256>; // [16 columns][64 rows / 4], a component a row

fn x1(i: u32) -> f32 { return x[i / 4u][i % 4u]; }

fn peers() -> u32 { return 32u; }

fn place(group: vec3u, thread: u32) -> Place {
  return Place(group.x * 32u + thread % 32u, group.y * 64u + thread / 32u * 8u, thread % 32u, true);
}

// n: rows of the weights; start: index in x, in f32, of the first activation of the thread's first row; stride: between rows.
fn multiply(n: vec4u, start: u32, stride: u32, thread: u32) {
  for (var m = 0u; m < TILE; m++) { products[m] = vec4f(0); }
  let quad = thread % 32u;
  let eight = thread / 32u; // of rows
  for (var i = 0u; i < blocks() * slab.one; i += 2u) {
    let here = i + select(quad / 16u, eight, eight < 2u); // the block of columns that this thread fetches
    if (eight < 2u && here < blocks()) { // weights
      let a = weights8(n.x, here);
      let b = weights8(n.y, here);
      let c = weights8(n.z, here);
      let d = weights8(n.w, here);
      for (var j = 0u; j < 4u; j++) {
        w_tile[(8u * eight + j) * 32u + quad] = vec4f(a.low[j], b.low[j], c.low[j], d.low[j]);
        w_tile[(8u * eight + 4u + j) * 32u + quad] = vec4f(a.high[j], b.high[j], c.high[j], d.high[j]);
      }
    }
    if (eight == 2u && here < blocks()) { // four rows of activations; start is that of the third eight
      let row = (start - 16u * stride + quad % 16u * 4u * stride) / 4u + 2u * here;
      let step = stride / 4u;
      for (var half = 0u; half < 2u; half++) {
        let at = row + half;
        let a = x[at];
        let b = x[at + step];
        let c = x[at + 2u * step];
        let d = x[at + 3u * step];
        for (var j = 0u; j < 4u; j++) {
          x_tile[(8u * (quad / 16u) + 4u * half + j) * 16u + quad % 16u] = vec4f(a[j], b[j], c[j], d[j]);
        }
      }
    }
    workgroupBarrier();
    for (var j = 0u; j < 8u * min(2u, blocks() - i); j++) {
      let w = w_tile[j * 32u + quad];
      let low = x_tile[j * 16u + eight * 2u];
      let high = x_tile[j * 16u + eight * 2u + 1u];
      for (var m = 0u; m < 4u; m++) {
        products[m] = fma(w, vec4f(low[m]), products[m]);
        products[m + 4u] = fma(w, vec4f(high[m]), products[m + 4u]);
      }
    }
    workgroupBarrier();
  }
}
