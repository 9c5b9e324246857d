/** Packed words to codes of one byte each. */

type Bytes = Uint8Array<ArrayBuffer>;

/** Codes that a word of 32 bits has. */
export const perWord = (bits: 4 | 8): number => 32 / bits;

/** Fields of words one after another, lowest bits first; of each row of words the first `count` fields. */
export function fields(words: Bytes, bits: 4 | 8, rows: number, count: number): Bytes {
  const stride = words.length / rows; // bytes
  if (bits === 8 && stride === count) return words;
  if (bits === 4 && 2 * stride === count) return nibbles(words);
  const codes = new Uint8Array(rows * count);
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < count; i++) {
      const byte = words[row * stride + (bits === 8 ? i : i >> 1)];
      codes[row * count + i] = bits === 8 ? byte : (byte >> (4 * (i & 1))) & 15;
    }
  }
  return codes;
}

function nibbles(words: Bytes): Bytes {
  const halves = new Uint16Array(words.buffer, words.byteOffset, words.length / 2);
  const codes = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i++) codes[i] = spread(halves[i]);
  return new Uint8Array(codes.buffer);
}

/** What stands in columns [columns][rows], in rows [rows][columns], in `turned`. */
export function transpose<T extends Uint8Array | Float32Array>(
  values: T,
  columns: number,
  rows: number,
  turned: T,
): T {
  for (let column = 0; column < columns; column++)
    for (let row = 0; row < rows; row++) turned[row * columns + column] = values[column * rows + row];
  return turned;
}

const TILE = 32; // rows whose codes are written side by side, so that each line of memory is read once

/** GPTQ: a word has neighbouring columns of one row; words stand [columns / perWord][rows]. */
export function gptqCodes(words: Bytes, bits: 4 | 8, rows: number, columns: number): Bytes {
  const packed = new Uint32Array(words.buffer, words.byteOffset, words.length / 4);
  const codes = new Uint32Array((rows * columns) / 4);
  const each = perWord(bits) / 4;
  const height = packed.length / rows;
  const stride = columns / 4;
  for (let first = 0; first < rows; first += TILE) {
    const end = Math.min(first + TILE, rows);
    for (let k = 0; k < height; k++) {
      for (let row = first; row < end; row++) {
        const word = packed[k * rows + row];
        const at = row * stride + k * each;
        if (bits === 8) codes[at] = word;
        else {
          codes[at] = spread(word & 0xffff);
          codes[at + 1] = spread(word >>> 16);
        }
      }
    }
  }
  return new Uint8Array(codes.buffer);
}

/** Four fields of four bits, each to a byte of its own. */
function spread(half: number): number {
  const pairs = (half | (half << 8)) & 0x00ff00ff;
  return (pairs | (pairs << 4)) & 0x0f0f0f0f;
}

/** The row of eight that the i-th field of an AWQ word belongs to. */
export const AWQ_ORDER = [0, 2, 4, 6, 1, 3, 5, 7] as const;

/** AWQ: a word has eight neighbouring rows of one column, even ones first; words stand [columns][rows / 8]. */
export function awqCodes(words: Bytes, rows: number, columns: number): Bytes {
  const packed = new Uint32Array(words.buffer, words.byteOffset, words.length / 4);
  const codes = new Uint8Array(rows * columns);
  const width = rows / 8;
  const tile = TILE / 8;
  const fours = columns % 4 === 0 ? new Uint32Array(codes.buffer) : undefined;
  for (let first = 0; first < width; first += tile) {
    const end = Math.min(first + tile, width);
    for (let column = 0; column < columns; column += fours ? 4 : 1) {
      for (let p = first; p < end; p++) {
        const at = column * width + p;
        if (fours) {
          const [a, b, c, d] = [
            packed[at],
            packed[at + width],
            packed[at + 2 * width],
            packed[at + 3 * width],
          ];
          fourColumns(fours, (8 * p * columns + column) / 4, columns / 4, 0, a, b, c, d);
          fourColumns(
            fours,
            (8 * p * columns + column) / 4,
            columns / 4,
            2,
            a >>> 4,
            b >>> 4,
            c >>> 4,
            d >>> 4,
          );
        } else {
          for (let i = 0; i < 8; i++)
            codes[(8 * p + AWQ_ORDER[i]) * columns + column] = (packed[at] >>> (4 * i)) & 15;
        }
      }
    }
  }
  return codes;
}

/** The lower halves of the bytes of four words, each word a column, are four bytes of each of four rows: `row`, + 4, + 1, + 5. */
function fourColumns(
  codes: Uint32Array,
  at: number,
  stride: number,
  row: number,
  a: number,
  b: number,
  c: number,
  d: number,
): void {
  const even = (a & 0x000f000f) | ((b & 0x000f000f) << 8);
  const odd = ((a >>> 8) & 0x000f000f) | (b & 0x0f000f00);
  const evenOfOthers = (c & 0x000f000f) | ((d & 0x000f000f) << 8);
  const oddOfOthers = ((c >>> 8) & 0x000f000f) | (d & 0x0f000f00);
  const to = at + row * stride;
  codes[to] = (even & 0xffff) | (evenOfOthers << 16);
  codes[to + 4 * stride] = (odd & 0xffff) | (oddOfOthers << 16);
  codes[to + stride] = (even >>> 16) | (evenOfOthers & 0xffff0000);
  codes[to + 5 * stride] = (odd >>> 16) | (oddOfOthers & 0xffff0000);
}

/** Column j of each row goes to place order[j]. */
export function inOrder(codes: Bytes, columns: number, order: Uint32Array | undefined): Bytes {
  if (!order) return codes;
  const moved = new Uint8Array(codes.length);
  for (let begin = 0; begin < codes.length; begin += columns)
    for (let j = 0; j < columns; j++) moved[begin + order[j]] = codes[begin + j];
  return moved;
}
