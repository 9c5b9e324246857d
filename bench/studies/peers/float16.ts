/** f16 next to each f32, ties to even. */
export function float16(values: Float32Array): Uint16Array<ArrayBuffer> {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < bits.length; i++) {
    const exponent = ((bits[i] >>> 23) & 0xff) - 127;
    const significand = (bits[i] & 0x7fffff) | 0x800000;
    const dropped = exponent < -14 ? -1 - exponent : 13;
    let half = 0;
    if (exponent > 15) half = 0x7c00;
    else if (dropped <= 24) {
      const kept = significand >>> dropped;
      const rest = significand & ((1 << dropped) - 1);
      const tie = 1 << (dropped - 1);
      half = kept + (rest > tie || (rest === tie && kept & 1) ? 1 : 0);
      if (exponent > -14) half += (exponent + 14) << 10; // `kept` brings the implicit bit
    }
    halves[i] = ((bits[i] >>> 16) & 0x8000) | half;
  }
  return halves;
}
