// A weight matrix [rows, COLUMNS] in one of the formats f32.wgsl, bf16.wgsl, f16.wgsl, int8.wgsl, int4.wgsl and fp8.wgsl. All are interleaved
// so that eight neighbouring threads, one a row, read neighbouring words, and each has
//   weights8(row, i): eight columns of a row as f32, from column 8i on. Columns are padded with zeros to a multiple of eight.
// The part of the matrix that this dispatch works on, in units of the operation. one is 1, and multiplies the bounds of loops
// that must stay loops: software drivers take tens of milliseconds to compile each load of an unrolled one.
struct Slab { first: u32, count: u32, one: u32 }
@group(0) @binding(0) var<uniform> slab: Slab;
// words(i): four words, from word 4i on, see in-buffer.wgsl and in-texture.wgsl.

struct Eight { low: vec4f, high: vec4f } // columns 8i … 8i+3 and 8i+4 … 8i+7

fn blocks() -> u32 { return (sizes.COLUMNS + 7u) / 8u; }

// sum + w · x, in a fixed order with explicit fma: every variant of a kernel must give the same bits.
fn dot8(sum: f32, w: Eight, low: vec4f, high: vec4f) -> f32 {
  var s = fma(w.low.x, low.x, sum);
  s = fma(w.low.y, low.y, s);
  s = fma(w.low.z, low.z, s);
  s = fma(w.low.w, low.w, s);
  s = fma(w.high.x, high.x, s);
  s = fma(w.high.y, high.y, s);
  s = fma(w.high.z, high.z, s);
  return fma(w.high.w, high.w, s);
}

// Four rows of the matrix times eight activations.
fn dot8x4(sum: vec4f, a: Eight, b: Eight, c: Eight, d: Eight, low: vec4f, high: vec4f) -> vec4f {
  return vec4f(dot8(sum.x, a, low, high), dot8(sum.y, b, low, high), dot8(sum.z, c, low, high), dot8(sum.w, d, low, high));
}

// Which outputs a thread computes: number quad of the quads of outputs, for TILE rows of activations from row on. peer tells
// apart the peers() threads of a workgroup that share these rows. Not all that compute also finish.
struct Place { quad: u32, row: u32, peer: u32, finishes: bool }

// A quad's outputs: eight apart, so that eight threads read the eight neighbouring rows of a block.
fn outputs(quad: u32) -> vec4u { return vec4u(quad / 8u * 32u + quad % 8u) + vec4u(0u, 8u, 16u, 24u); }
