// One row of a pass: the token it feeds, where that stands, and what is asked of the logits that come of it. A row that draws for itself
// moves on in draw.wgsl, so that a step's commands can be repeated without the CPU. src/model/rows.ts writes it.
struct Row {
  token: u32,           // the token to feed
  position: u32,        // its position in the sequence
  table: u32,           // where in tables its block table starts: page numbers, one for every PAGE positions
  valid: u32,           // keys and values below this position are in the cache and are not written again
  limit: u32,           // positions from here on are not computed: the row is finished
  ask: u32,             // NOTHING but the summary, GIVEN, TAIL or DRAW
  word: u32,            // GIVEN: the token whose distance is asked for; TAIL: the random word that picks it
  seed_low: u32,
  seed_high: u32,
  chain: u32,
  step_candidate: u32,  // step * 256 + candidate
  inverse_temperature: f32, // 0: greedy
  alpha: f32,
  top_k: u32,           // 0: off
  top_p: f32,           // 1: off
  slot: u32,            // where in the results its next one goes
  stride: u32,          // from there to the one after
  one: u32,             // 1, see Slab in weights.wgsl
  spans: u32,           // where its partial results of the attention start
  team_spans: u32,      // leading spans whose pages the rows of its team have in common
}
const NOTHING = 0u;
const GIVEN = 1u;
const TAIL = 2u; // a token outside the list, by the random word
const DRAW = 3u; // the next token, which is fed next
