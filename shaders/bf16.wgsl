// weights[rows / 8][COLUMNS / 8][8 rows], a vec4u holding eight columns; word j has column j low, column j + 4 high.
fn weights8(row: u32, i: u32) -> Eight {
  let w = words(((row / 8u) * blocks() + i) * 8u + row % 8u);
  return Eight(bitcast<vec4f>(w << vec4u(16u)), bitcast<vec4f>(w & vec4u(0xffff0000u)));
}
