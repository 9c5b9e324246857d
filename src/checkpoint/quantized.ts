/** How the codes of a matrix stand for numbers: unsigned 4 or 8 bits about a zero point, or FP8 (E4M3 FN), whose zero is 0. */
export type CodeFormat = 'int4' | 'int8' | 'fp8';

/** A weight matrix [rows, columns] as codes: w = round((code − zero) · scale). Reading one takes memory for that one alone. */
export interface QuantizedMatrix {
  readonly rows: number;
  readonly columns: number;
  readonly code: CodeFormat;
  /** Neighbouring columns with one scale, the last group may have fewer; `columns` for one scale a row. */
  readonly group: number;
  /** What the library that the checkpoint is made for rounds each product to; the product itself is exact in f32. */
  readonly rounding: 'f32' | 'f16' | 'bf16';
  /** Bytes in the checkpoint. */
  readonly stored: number;
  /** Has zero points that are not all in the middle. */
  readonly zeros: boolean;
  /** Has an order of columns that is not the checkpoint's. */
  readonly ordered: boolean;
  /** @throws CheckpointError */
  read(): Promise<QuantizedValues>;
}

export interface QuantizedValues {
  /** One a byte [rows][columns], columns in the order of groups. */
  readonly codes: Uint8Array;
  readonly scales: Float32Array; // [rows][groups], finite
  /** Absent: the middle of the codes, 8 or 128; 0 for fp8. */
  readonly zeros?: Uint8Array; // [rows][groups]
  /** Column j of the checkpoint stands at place order[j]; absent: where it was. */
  readonly order?: Uint32Array; // [columns]
}
