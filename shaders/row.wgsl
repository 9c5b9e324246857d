// One decoding row: where it stands, and how its next token is to be drawn. The last kernel of a step moves token and
// position on, so that a step's commands can be repeated without the CPU.
struct Row {
  token: u32,           // the token to feed
  position: u32,        // its position in the sequence
  table: u32,           // where in tables its block table starts: page numbers, one for every PAGE positions
  valid: u32,           // keys and values below this position are in the cache and are not written again
  limit: u32,           // positions from here on are not computed: the row is finished
  given: u32,           // the token to score instead of drawing one; NONE to draw
  seed_low: u32,
  seed_high: u32,
  chain: u32,
  step_candidate: u32,  // step * 256 + candidate
  inverse_temperature: f32, // 0: greedy
  alpha: f32,
  top_k: u32,           // 0: off
  top_p: f32,           // 1: off
  slot: u32,            // where in the ring the next result goes
  one: u32,             // 1, see Slab in weights.wgsl
  spans: u32,           // where its partial results of the attention start
  team_spans: u32,      // leading spans whose pages the rows of its team have in common
}
const NONE = 0xffffffffu;

fn truncated(row: Row) -> bool { return row.top_k > 0u || row.top_p < 1.0; }
