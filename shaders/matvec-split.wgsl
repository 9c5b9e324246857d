// products[m] = four rows of the weights times x[m], for TILE rows of activations, for adapters that want more threads in flight than a
// matrix has rows: THREADS / 8 slices of a workgroup each take every so-many-th block of columns, for the same 32 rows, and
// the slices' sums are added in order. The threads of slice 0 finish.
override TILE: u32; // at most MOST
override THREADS: u32;
const MOST = 8u;
@group(0) @binding(2) var<storage, read> x: array<vec4f>;
var<private> products: array<vec4f, MOST>;
var<workgroup> parts: array<vec4f, THREADS>;

fn x1(i: u32) -> f32 { return x[i / 4u][i % 4u]; }

fn peers() -> u32 { return THREADS; }

fn place(group: vec3u, thread: u32) -> Place {
  return Place(group.x * 8u + thread % 8u, group.y * TILE, thread, thread < 8u);
}

// n: rows of the weights; start: index in x, in f32, of the first activation of the first row; stride: between rows. Both multiples of eight.
fn multiply(n: vec4u, start: u32, stride: u32, thread: u32) {
  for (var m = 0u; m < TILE; m++) { products[m] = vec4f(0); }
  for (var i = thread / 8u; i < blocks() * slab.one; i += THREADS / 8u) {
    let a = weights8(n.x, i);
    let b = weights8(n.y, i);
    let c = weights8(n.z, i);
    let d = weights8(n.w, i);
    for (var m = 0u; m < TILE; m++) {
      let at = (start + m * stride) / 4u + 2u * i;
      products[m] = dot8x4(products[m], a, b, c, d, x[at], x[at + 1u]);
    }
  }
  for (var m = 0u; m < TILE; m++) {
    parts[thread] = products[m];
    workgroupBarrier();
    var sum = vec4f(0);
    for (var slice = 0u; slice < THREADS / 8u * slab.one; slice++) { sum += parts[slice * 8u + thread % 8u]; }
    products[m] = sum;
    workgroupBarrier();
  }
}
