// Sizes of the model, and of an operation. They are not override constants like what shapes the code, so that a kernel is compiled once
// and serves models of all sizes. Those that an operation does not use are 0.
struct Sizes {
  COLUMNS: u32,    // of the weight matrix
  GROUP: u32,      // of its neighbouring columns, with one scale
  FIRST: u32,      // of them, where they stand in a row of activations
  SECOND: u32,     // from activations in one order to the same in another
  WIDTH: u32,      // of the residual stream
  VOCABULARY: u32, // logits a row
  SLICES: u32,     // that a row of logits is summed up in
  Q_HEADS: u32,
  KV_HEADS: u32,
  HEAD_DIM: u32,   // a multiple of 4
  OUT_STRIDE: u32, // between rows of the results
  WINDOW: u32,     // positions that a query sees, its own included; 0: the whole prefix
  EPSILON: f32,    // of RMSNorm
  PAGE_QUADS: u32, // vec4f a page
}
@group(0) @binding(15) var<uniform> sizes: Sizes;
