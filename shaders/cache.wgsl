// What a page of the cache has where, and how keys and values are written: for each layer, pages of
//   keys [KV_HEADS][words / 4][PAGE][4], then values [KV_HEADS][PAGE][words]
// with the words of a head being its HEAD_DIM numbers in f32 or, with KV_BF16, its pairs (i, i + HEAD_DIM / 2) in bf16, the first low. One
// thread computes both of a pair, so that no two write to a word. Pairs are padded with zeros to a multiple of four.
override PAGE: u32;
override KV_BF16: bool;

struct Slot { page: u32, head: u32, slot: u32, is_key: bool }

fn head_words() -> u32 { return select(sizes.HEAD_DIM, (sizes.HEAD_DIM + 7u) / 8u * 4u, KV_BF16); }

fn word_at(s: Slot, i: u32) -> u32 {
  let head = (s.page * 2u + select(1u, 0u, s.is_key)) * sizes.KV_HEADS + s.head;
  return head * PAGE * head_words() + select(s.slot * head_words() + i, (i / 4u * PAGE + s.slot) * 4u + i % 4u, s.is_key);
}

fn write_pair(s: Slot, i: u32, pair: vec2f) {
  let half = sizes.HEAD_DIM / 2u;
  if (!KV_BF16) {
    cache[word_at(s, i)] = bitcast<u32>(pair.x);
    cache[word_at(s, i + half)] = bitcast<u32>(pair.y);
    return;
  }
  cache[word_at(s, i)] = bf16(pair);
  if (half % 4u > 0u && i + 2u >= half) { cache[word_at(s, i + 2u)] = 0u; }
}

// The nearest bf16 of each, ties to even, the first low. What is no number stays none.
fn bf16(pair: vec2f) -> u32 {
  let bits = bitcast<vec2u>(pair);
  let nearest = bits + vec2u(0x7fffu) + ((bits >> vec2u(16u)) & vec2u(1u));
  let none = (bits & vec2u(0x7fffffffu)) > vec2u(0x7f800000u);
  let rounded = select(nearest, bits | vec2u(0x400000u), none);
  return (rounded.x >> 16u) | (rounded.y & 0xffff0000u);
}
