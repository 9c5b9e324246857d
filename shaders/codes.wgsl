// Where the parts of a matrix of codes go, see quantized.wgsl: in words.
override BITS: u32; // of a code: 4 or 8
override ZEROS: bool;
@group(0) @binding(2) var<storage, read_write> packed: array<u32>;

fn groups() -> u32 { return (sizes.COLUMNS + sizes.GROUP - 1u) / sizes.GROUP; }
fn chunks() -> u32 { return (sizes.COLUMNS + 31u) / 32u; }
fn zero_words() -> u32 { return select(0u, (groups() + 3u) / 4u, ZEROS); } // of a row
fn scale_words() -> u32 { return (groups() + 3u) / 4u * 4u; } // of a row
fn row_at(row: u32) -> u32 { return row / 8u * 8u * (BITS * chunks() + scale_words() + zero_words()); }

// Word number i of the codes of a row.
fn write_codes(row: u32, i: u32, word: u32) { packed[row_at(row) + (i / 4u * 8u + row % 8u) * 4u + i % 4u] = word; }
fn write_scale(row: u32, group: u32, word: u32) { write_codes(row, BITS * chunks() + group, word); }
fn write_zeros(row: u32, i: u32, word: u32) {
  packed[row_at(row) + 8u * (BITS * chunks() + scale_words() + i) + row % 8u] = word;
}
