/** What the codes of a matrix are: unsigned 4 or 8 bits about a zero point, or FP8 (E4M3 FN), whose zero is 0. */
export type CodeFormat = 'int4' | 'int8' | 'fp8';

/** A weight matrix [rows, columns] that is stored as codes: w = round((code − zero) · scale), of which f32 holds the product. */
export interface QuantizedShape {
  readonly rows: number;
  readonly columns: number;
  readonly code: CodeFormat;
  /** Neighbouring columns with one scale, of which the last group may have fewer; `columns` for one scale a row. */
  readonly group: number;
  /** What the library that the checkpoint is made for rounds the product to. */
  readonly rounding: 'f32' | 'f16' | 'bf16';
  /** Each group has a zero point of its own; else it is the middle of the codes, 8 or 128. Never for fp8. */
  readonly hasZeros: boolean;
  /** Groups are not of columns that are neighbours in the checkpoint. */
  readonly hasOrder: boolean;
  /** Bytes that it has in the checkpoint. */
  readonly stored: number;
}

export interface QuantizedMatrix extends QuantizedShape {
  /** Reads it; what is read is held by nobody else. @throws CheckpointError */
  read(): Promise<QuantizedValues>;
}

export interface QuantizedValues extends QuantizedParameters {
  /** One a byte, [rows][columns]; columns in the order of their groups. */
  readonly codes: Uint8Array<ArrayBuffer>;
}

export interface QuantizedParameters {
  /** [rows][groups], finite. */
  readonly scales: Float32Array<ArrayBuffer>;
  /** [rows][groups], where the shape has zeros. */
  readonly zeros?: Uint8Array<ArrayBuffer>;
  /** Column j of the model stands at place order[j] of a row of codes, where the shape has an order. */
  readonly order?: Uint32Array<ArrayBuffer>;
}
