// As bf16.wgsl. WGSL leaves it to an adapter what becomes of subnormal halves: pack.wgsl is followed by a check that they stay, see
// src/selftest/packing.ts.
fn weights8(row: u32, i: u32) -> Eight {
  let w = words(((row / 8u) * blocks() + i) * 8u + row % 8u);
  let a = unpack2x16float(w.x);
  let b = unpack2x16float(w.y);
  let c = unpack2x16float(w.z);
  let d = unpack2x16float(w.w);
  return Eight(vec4f(a.x, b.x, c.x, d.x), vec4f(a.y, b.y, c.y, d.y));
}
