enable subgroups;

// products[m] = (weights[a] · x[m], weights[b] · x[m]) for TILE rows of activations: one reading of the weights serves all.
// Each lane loads one activation, which is then broadcast; there is no barrier. Needs subgroups of at least eight lanes.
override TILE: u32;
@group(0) @binding(2) var<storage, read> x: array<f32>;
var<private> products: array<vec2f, 4>;

fn x4(i: u32) -> vec4f { return vec4f(x[4u * i], x[4u * i + 1u], x[4u * i + 2u], x[4u * i + 3u]); }

// start: index in x of the first activation of the first row; stride: between rows. Both multiples of eight.
fn matvec(a: u32, b: u32, start: u32, stride: u32) {
  for (var m = 0u; m < TILE; m++) { products[m] = vec2f(0); }
  let lane = subgroupExclusiveAdd(1u) % 8u;
  for (var i = 0u; i < blocks() * slab.one; i++) {
    let wa = weights8(a, i);
    let wb = weights8(b, i);
    for (var m = 0u; m < TILE; m++) {
      let v = x[start + m * stride + 8u * i + lane];
      let low = vec4f(subgroupBroadcast(v, 0u), subgroupBroadcast(v, 1u), subgroupBroadcast(v, 2u), subgroupBroadcast(v, 3u));
      let high = vec4f(subgroupBroadcast(v, 4u), subgroupBroadcast(v, 5u), subgroupBroadcast(v, 6u), subgroupBroadcast(v, 7u));
      products[m] = vec2f(dot8(products[m].x, wa, low, high), dot8(products[m].y, wb, low, high));
    }
  }
}
