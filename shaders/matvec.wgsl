// products[m] = (weights[a] · x[m], weights[b] · x[m]) for TILE rows of activations: one reading of the weights serves all.
// For adapters without subgroups (or with fewer than eight lanes): every thread loads the activations itself.
override TILE: u32;
@group(0) @binding(2) var<storage, read> x: array<vec4f>;
var<private> products: array<vec2f, 4>;

fn x4(i: u32) -> vec4f { return x[i]; }

// start: index of the first activation of the first row; stride: between rows. Both multiples of eight.
fn matvec(a: u32, b: u32, start: u32, stride: u32) {
  for (var m = 0u; m < TILE; m++) { products[m] = vec2f(0); }
  for (var i = 0u; i < blocks() * slab.one; i++) {
    let wa = weights8(a, i);
    let wb = weights8(b, i);
    for (var m = 0u; m < TILE; m++) {
      let at = (start + m * stride) / 4u + 2u * i;
      let low = x[at];
      let high = x[at + 1u];
      products[m] = vec2f(dot8(products[m].x, wa, low, high), dot8(products[m].y, wb, low, high));
    }
  }
}
