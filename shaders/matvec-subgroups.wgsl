enable subgroups;

// products[m] = four rows of the weights times x[m], for TILE rows of activations: one reading of the weights serves all.
// Each lane loads one activation, which is then broadcast. Needs subgroups of at least eight lanes.
override TILE: u32; // at most MOST
override THREADS: u32;
const MOST = 8u;
@group(0) @binding(2) var<storage, read> x: array<f32>;
var<private> products: array<vec4f, MOST>;

fn x1(i: u32) -> f32 { return x[i]; }

fn peers() -> u32 { return THREADS; }

fn place(group: vec3u, thread: u32) -> Place {
  return Place(group.x * THREADS + thread, group.y * TILE, thread, true);
}

// n: rows of the weights; start: index in x of the first activation of the first row; stride: between rows, like start a multiple of eight.
fn multiply(n: vec4u, start: u32, stride: u32, thread: u32) {
  for (var m = 0u; m < TILE; m++) { products[m] = vec4f(0); }
  let lane = subgroupExclusiveAdd(1u) % 8u;
  for (var i = 0u; i < blocks() * slab.one; i++) {
    let a = weights8(n.x, i);
    let b = weights8(n.y, i);
    let c = weights8(n.z, i);
    let d = weights8(n.w, i);
    for (var m = 0u; m < TILE; m++) {
      let v = x[start + m * stride + 8u * i + lane];
      let low = vec4f(subgroupBroadcast(v, 0u), subgroupBroadcast(v, 1u), subgroupBroadcast(v, 2u), subgroupBroadcast(v, 3u));
      let high = vec4f(subgroupBroadcast(v, 4u), subgroupBroadcast(v, 5u), subgroupBroadcast(v, 6u), subgroupBroadcast(v, 7u));
      products[m] = dot8x4(products[m], a, b, c, d, low, high);
    }
  }
}
