/** One message of the protocol buffers' wire format, written field by field. */
export class Message {
  private readonly parts: Uint8Array[] = [];
  private size = 0;

  /** A whole number, also below 0: int32, int64 and enumerations. */
  int(field: number, value: number): this {
    return this.add(varint(BigInt(field << 3))).add(varint(BigInt.asUintN(64, BigInt(value))));
  }

  float(field: number, value: number): this {
    return this.add(varint(BigInt((field << 3) | 5))).add(new Uint8Array(Float32Array.of(value).buffer));
  }

  bytes(field: number, value: Uint8Array): this {
    return this.add(varint(BigInt((field << 3) | 2)))
      .add(varint(BigInt(value.length)))
      .add(value);
  }

  string(field: number, text: string): this {
    return this.bytes(field, Buffer.from(text));
  }

  message(field: number, message: Message): this {
    return this.bytes(field, message.finish());
  }

  finish(): Uint8Array {
    return Buffer.concat(this.parts, this.size);
  }

  private add(part: Uint8Array): this {
    this.parts.push(part);
    this.size += part.length;
    return this;
  }
}

function varint(value: bigint): Uint8Array {
  const bytes: number[] = [];
  for (; value > 127n; value >>= 7n) bytes.push(Number(value & 127n) | 128);
  return Uint8Array.of(...bytes, Number(value));
}
