enable subgroups;

// matvec-subgroups.wgsl for codes: 32 columns at a time, of which a word holds many, and which all are of one group. Each lane loads four
// neighbouring activations, which are then broadcast. Where weights are not rounded, and zero is the middle of the codes, it is the sum
// over the columns that is multiplied by the scale.
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

override FACTORED: bool = ROUNDING == 0u && !ZEROS;

fn weights_of(c: Eight, scale: f32, zero: f32) -> Eight {
  if (FACTORED) { return c; }
  return dequantized(c, scale, zero);
}

// n: rows of the weights; start: index in x, in f32, of the first activation of the first row; stride: between rows. Both multiples of eight.
fn multiply(n: vec4u, start: u32, stride: u32, thread: u32) {
  for (var m = 0u; m < TILE; m++) { products[m] = vec4f(0); }
  let lane = subgroupExclusiveAdd(1u) % 8u;
  let step = max(1u, sizes.GROUP / 8u); // chunks of four groups
  for (var first = 0u; first < chunks() * slab.one; first += step) {
    let sx = scales(n.x, first / step);
    let sy = scales(n.y, first / step);
    let sz = scales(n.z, first / step);
    let sw = scales(n.w, first / step);
    for (var i = first; i < min(first + step, chunks()); i++) {
      let g = 32u * i / sizes.GROUP;
      let s = vec4f(sx[g % 4u], sy[g % 4u], sz[g % 4u], sw[g % 4u]);
      let z = vec4f(zero(n.x, g), zero(n.y, g), zero(n.z, g), zero(n.w, g));
      let a = codes(n.x, i);
      let b = codes(n.y, i);
      let c = codes(n.z, i);
      let d = codes(n.w, i);
      var v: array<vec4f, MOST>;
      var sums: array<vec4f, MOST>;
      for (var m = 0u; m < TILE; m++) {
        let quad = 8u * i + lane; // of columns; beyond the last block of eight stands something else
        v[m] = select(vec4f(0), x[(start + m * stride) / 4u + quad], vec4<bool>(quad < 2u * blocks()));
        sums[m] = vec4f(0);
      }
      {
        let p = weights_of(eight(a, 0u), s.x, z.x);
        let q = weights_of(eight(b, 0u), s.y, z.y);
        let r = weights_of(eight(c, 0u), s.z, z.z);
        let t = weights_of(eight(d, 0u), s.w, z.w);
        for (var m = 0u; m < TILE; m++) {
          sums[m] = dot8x4(sums[m], p, q, r, t, subgroupBroadcast(v[m], 0u), subgroupBroadcast(v[m], 1u));
        }
      }
      {
        let p = weights_of(eight(a, 1u), s.x, z.x);
        let q = weights_of(eight(b, 1u), s.y, z.y);
        let r = weights_of(eight(c, 1u), s.z, z.z);
        let t = weights_of(eight(d, 1u), s.w, z.w);
        for (var m = 0u; m < TILE; m++) {
          sums[m] = dot8x4(sums[m], p, q, r, t, subgroupBroadcast(v[m], 2u), subgroupBroadcast(v[m], 3u));
        }
      }
      {
        let p = weights_of(eight(a, 2u), s.x, z.x);
        let q = weights_of(eight(b, 2u), s.y, z.y);
        let r = weights_of(eight(c, 2u), s.z, z.z);
        let t = weights_of(eight(d, 2u), s.w, z.w);
        for (var m = 0u; m < TILE; m++) {
          sums[m] = dot8x4(sums[m], p, q, r, t, subgroupBroadcast(v[m], 4u), subgroupBroadcast(v[m], 5u));
        }
      }
      {
        let p = weights_of(eight(a, 3u), s.x, z.x);
        let q = weights_of(eight(b, 3u), s.y, z.y);
        let r = weights_of(eight(c, 3u), s.z, z.z);
        let t = weights_of(eight(d, 3u), s.w, z.w);
        for (var m = 0u; m < TILE; m++) {
          sums[m] = dot8x4(sums[m], p, q, r, t, subgroupBroadcast(v[m], 6u), subgroupBroadcast(v[m], 7u));
        }
      }
      for (var m = 0u; m < TILE; m++) {
        if (FACTORED) {
          products[m] = fma(sums[m], s * UNIT, products[m]);
        } else {
          products[m] += sums[m];
        }
      }
    }
  }
}
