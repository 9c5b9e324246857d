// Philox 4x32-10 (Salmon et al., 2011), and Gumbel noise made from it.
fn multiply_high(a: u32, b: u32) -> u32 {
  let low = (a & 0xffffu) * (b & 0xffffu);
  let middle = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
  let other = (a & 0xffffu) * (b >> 16u) + (middle & 0xffffu);
  return (a >> 16u) * (b >> 16u) + (middle >> 16u) + (other >> 16u);
}

fn philox(start: vec4u, seed: vec2u) -> vec4u {
  var c = start;
  var key = seed;
  for (var round = 0u; round < 10u; round++) {
    c = vec4u(multiply_high(0xCD9E8D57u, c.z) ^ c.y ^ key.x, 0xCD9E8D57u * c.z,
              multiply_high(0xD2511F53u, c.x) ^ c.w ^ key.y, 0xD2511F53u * c.x);
    key += vec2u(0x9E3779B9u, 0xBB67AE85u);
  }
  return c;
}

// −log(E) with E = −log(1 − u) and u = (bits + ½) / 2^32. WGSL's log is good to 2^-21 near 1 only: there by series.
fn gumbel(bits: u32) -> f32 {
  if (bits < (1u << 26u)) {
    let u = (f32(bits) + 0.5) * 0x1p-32;
    return -log(u * (1.0 + u * (0.5 + u * (1.0 / 3.0 + u * (0.25 + u * 0.2)))));
  }
  return -log(-log((f32(~bits) + 0.5) * 0x1p-32));
}

// Noise for the entries 4 · four to 4 · four + 3 of the vocabulary, of the token at the position after row.position.
fn noise4(row: Row, four: u32) -> vec4f {
  let bits = philox(vec4u(row.chain, row.step_candidate, row.position + 1u, four), vec2u(row.seed_low, row.seed_high));
  return vec4f(gumbel(bits.x), gumbel(bits.y), gumbel(bits.z), gumbel(bits.w));
}
