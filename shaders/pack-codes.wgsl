// Codes of a checkpoint, a byte each, into the layout of quantized.wgsl. A row of the source holds its codes, from a word's begin on its
// scales, and then with ZEROS its zero points, a byte each. Codes are unsigned, but FP8. A thread writes a word.
struct Chunk { rows: u32, target_row: u32 } // the chunk's row r goes to row target_row + r of the matrix
override FLIP: u32; // what makes a code signed: 8, 128, or 0 for FP8
@group(0) @binding(0) var<uniform> chunk: Chunk;
@group(0) @binding(1) var<storage, read> source: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  if (row >= chunk.rows) { return; }
  let to = chunk.target_row + row;
  let code_words = (sizes.COLUMNS + 3u) / 4u;
  let start = row * (code_words + groups() + zero_words());
  let scales = BITS * chunks();
  if (id.y >= scales + groups()) {
    let i = id.y - scales - groups();
    write_zeros(to, i, source[start + code_words + groups() + i]);
  } else if (id.y >= scales) {
    write_scale(to, id.y - scales, source[start + code_words + id.y - scales]);
  } else {
    let each = 32u / BITS;
    var word = 0u;
    for (var j = 0u; j < each; j++) {
      let column = id.y * each + j;
      if (column >= sizes.COLUMNS) { break; }
      let code = (source[start + column / 4u] >> (column % 4u * 8u)) ^ FLIP;
      word |= (code & ((1u << BITS) - 1u)) << (j * BITS);
    }
    write_codes(to, id.y, word);
  }
}
