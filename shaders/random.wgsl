// Philox 4x32-10 (Salmon et al., 2011).
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
