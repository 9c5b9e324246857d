/** What `using` and `await using` call at the end of a block. @internal */
export interface Disposing {
  [Symbol.dispose](): void;
  [Symbol.asyncDispose](): Promise<void>;
}

/** @param dispose may be called more than once @internal */
export function disposing(dispose: () => void): Disposing {
  const methods: Record<symbol, () => unknown> = {};
  // A runtime that does not know the words has no symbols for them either.
  if (Symbol.dispose) methods[Symbol.dispose] = dispose;
  if (Symbol.asyncDispose) methods[Symbol.asyncDispose] = async () => dispose();
  return methods as unknown as Disposing;
}
