// weights[rows / 8][COLUMNS / 8][2 halves][8 rows], a vec4u holding four columns.
fn weights8(row: u32, i: u32) -> Eight {
  let at = ((row / 8u) * blocks() + i) * 16u + row % 8u;
  return Eight(bitcast<vec4f>(words(at)), bitcast<vec4f>(words(at + 8u)));
}
