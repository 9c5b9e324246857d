import type {
  CodeFormat,
  QuantizedMatrix,
  QuantizedShape,
  QuantizedValues,
} from '../checkpoint/quantized.ts';
import { dequantize } from '../model/codes.ts';

/** How a matrix of random codes is stored. */
export type CodesForm = Omit<QuantizedShape, 'rows' | 'columns' | 'stored'>;

/** Of bell-shaped whole numbers below 127 in size. FP8 has neither infinities nor, of these, its NaN; some are subnormal. */
const CODE: Readonly<Record<CodeFormat, (noise: number) => number>> = {
  int4: (n) => 8 + Math.max(-8, Math.min(7, Math.round(n / 12))),
  int8: (n) => 128 + n,
  fp8: (n) => (n < 0 ? 128 : 0) | (Math.abs(n) >> 1),
};
/** About how large codes are. */
const SIZE = { int4: 3, int8: 36, fp8: 0.6 } as const;
const MIDDLE = { int4: 8, int8: 128, fp8: 0 } as const;

/** A matrix of codes that are made as they are read. `noiseAt`: of an element. */
export class RandomCodes implements QuantizedMatrix {
  readonly rows: number;
  readonly columns: number;
  readonly code: CodeFormat;
  readonly group: number;
  readonly rounding: QuantizedShape['rounding'];
  readonly hasZeros: boolean;
  readonly hasOrder: boolean;
  readonly stored: number;
  private readonly noiseAt: (i: number) => number;

  constructor([rows, columns]: readonly number[], form: CodesForm, noiseAt: (i: number) => number) {
    this.rows = rows;
    this.columns = columns;
    this.code = form.code;
    this.group = form.group;
    this.rounding = form.rounding;
    this.hasZeros = form.hasZeros;
    this.hasOrder = form.hasOrder;
    this.stored = rows * columns;
    this.noiseAt = noiseAt;
  }

  async read(): Promise<QuantizedValues> {
    return this.values(0, this.rows);
  }

  /** What the codes of a row stand for. */
  row(row: number): Float64Array {
    const weights = new Float32Array(this.columns);
    dequantize(this, this.values(row, 1), 0, weights);
    return Float64Array.from(weights);
  }

  /** Where each column stands among the codes: elsewhere in every matrix. */
  order(): Uint32Array<ArrayBuffer> {
    const { columns } = this;
    const step = [7, 11, 13, 17].find((n) => columns % n !== 0) ?? 1;
    const offset = 128 + this.noiseAt(0);
    return Uint32Array.from({ length: columns }, (_, j) => (step * j + offset) % columns);
  }

  private values(first: number, rows: number) {
    const { columns, code, hasZeros, hasOrder } = this;
    const groups = Math.ceil(columns / this.group);
    const start = first * columns;
    const unit = 2 ** Math.round(Math.log2(1 / SIZE[code] / Math.sqrt(columns)));
    const groupAt = (i: number) => Math.imul(first * groups + i + 1, 0x9e3779b1) >>> 0;
    // Of eleven bits, as halves have; some are so small that weights rounded to halves become subnormal.
    const scale = (n: number) => unit * (1 + (n % 1024) / 1024) * (n % 7 === 0 ? 2 ** -8 : 1);
    const zero = (n: number) => MIDDLE[code] + ((n >>> 12) % 5) - 2;
    return {
      codes: new Uint8Array(rows * columns).map((_, i) => CODE[code](this.noiseAt(start + i))),
      scales: Float32Array.from({ length: rows * groups }, (_, i) => scale(groupAt(i))),
      zeros: hasZeros ? Uint8Array.from({ length: rows * groups }, (_, i) => zero(groupAt(i))) : undefined,
      order: hasOrder ? this.order() : undefined,
    };
  }
}
