import { show } from './show.ts';

/** Every error this library raises on purpose. Each names the thing and the number; none is retried silently. */

/** A bad argument or option: its name, its value and what was allowed stand in the message. */
export class OptionError extends Error {
  override name = 'OptionError';
}

/** A checkpoint file that is not what it claims to be. */
export class CheckpointError extends Error {
  override name = 'CheckpointError';
  readonly file: string;
  /** The tensor concerned, where there is one. */
  readonly tensor?: string;
  /** Byte offset in the file, where there is one. */
  readonly offset?: number;
  constructor(file: string, message: string, at: { tensor?: string; offset?: number } = {}) {
    const where = [
      at.tensor === undefined ? '' : `tensor ${show(at.tensor)}`,
      at.offset === undefined ? '' : `byte ${at.offset}`,
    ].filter(Boolean);
    super(`${file}${where.length ? ` (${where.join(', ')})` : ''}: ${message}`);
    this.file = file;
    this.tensor = at.tensor;
    this.offset = at.offset;
  }
}

/** A model that loads but asks for something this library does not compute. */
export class UnsupportedModelError extends Error {
  override name = 'UnsupportedModelError';
  readonly key: string;
  readonly value: unknown;
  constructor(key: string, value: unknown, supported: string) {
    super(`config key ${JSON.stringify(key)} is ${show(value)}: supported is ${supported}`);
    this.key = key;
    this.value = value;
  }
}

/** No usable WebGPU adapter: says what was looked for and what to install. */
export class AdapterError extends Error {
  override name = 'AdapterError';
}

/** The adapter computes wrongly: a kernel is further from float64 than rounding explains. */
export class KernelError extends AdapterError {
  override name = 'KernelError';
  /** Its file in shaders/, and the form in which it was run. */
  readonly kernel: string;
  /** Found, and allowed. */
  readonly error: number;
  readonly bound: number;
  constructor(adapter: string, kernel: string, error: number, bound: number) {
    super(
      `${adapter} computes wrongly: kernel ${kernel} is off by ${error.toExponential(1)}, ${bound.toExponential(1)} is allowed; ` +
        'another version of the driver may help. egps info --self-test checks all kernels',
    );
    this.kernel = kernel;
    this.error = error;
    this.bound = bound;
  }
}

/** Raised before any work starts, with the bytes asked for and, where it can be known, the bytes available. */
export class OutOfMemoryError extends Error {
  override name = 'OutOfMemoryError';
  readonly needed: number;
  readonly available: number | undefined;
  constructor(what: string, needed: number, available: number | undefined, hint: string) {
    const found = available === undefined ? 'the adapter has not got them' : `${available} are available`;
    super(`${what} needs ${needed} bytes, ${found}; ${hint}`);
    this.needed = needed;
    this.available = available;
  }
}

/** The device went away; every pending call rejects with this. */
export class DeviceLostError extends Error {
  override name = 'DeviceLostError';
  readonly reason: string;
  constructor(reason: string, message: string) {
    super(`the GPU device was lost (${reason}): ${message}`);
    this.reason = reason;
  }
}

/** A forward pass produced NaN or infinity; `layer` is the first module that did. */
export class NonFiniteError extends Error {
  override name = 'NonFiniteError';
  readonly layer: string;
  readonly position: number;
  constructor(layer: string, position: number) {
    super(`${layer} produced a non-finite value at position ${position}`);
    this.layer = layer;
    this.position = position;
  }
}

/** A model's numbers for a token are not those of a probability distribution, or of the one it was drawn from. */
export class DistributionError extends Error {
  override name = 'DistributionError';
  /** Absolute position of the token, the prompt's first being 0. */
  readonly position: number;
  constructor(message: string, position: number) {
    super(`at position ${position} ${message}`);
    this.position = position;
  }
}

/** A file of problems, or a record of results, that is not what it should be. */
export class DataError extends Error {
  override name = 'DataError';
  readonly file: string;
  /** From 1, where the file is read by lines. */
  readonly line?: number;
  constructor(file: string, message: string, line?: number) {
    super(`${file}${line === undefined ? '' : `, line ${line}`}: ${message}`);
    this.file = file;
    this.line = line;
  }
}

/** An output folder that cannot be used as asked: in use, of another run, not writable, or full. */
export class OutputError extends Error {
  override name = 'OutputError';
  readonly path: string;
  constructor(path: string, message: string) {
    super(`${path}: ${message}`);
    this.path = path;
  }
}

/** Something outside that grading needs and that is not there, such as python3. */
export class GraderError extends Error {
  override name = 'GraderError';
}

/** A model that cannot be had from the Hub or its cache: which, why, and what to do. */
export class HubError extends Error {
  override name = 'HubError';
  /** ID@REVISION */
  readonly model: string;
  /** The HTTP status, where there was an answer. */
  readonly status?: number;
  /** Files that are missing, where it is that. */
  readonly missing: readonly string[];
  constructor(
    model: string,
    message: string,
    at: { status?: number; missing?: readonly string[]; cause?: unknown } = {},
  ) {
    super(`${model}: ${message}`, at.cause === undefined ? undefined : { cause: at.cause });
    this.model = model;
    this.status = at.status;
    this.missing = at.missing ?? [];
  }
}

/** A file that cannot be had from its address: which, why, and what to do. */
export class FetchError extends Error {
  override name = 'FetchError';
  readonly url: string;
  /** The HTTP status, where there was an answer. */
  readonly status?: number;
  constructor(url: string, message: string, at: { status?: number; cause?: unknown } = {}) {
    super(`${url}: ${message}`, at.cause === undefined ? undefined : { cause: at.cause });
    this.url = url;
    this.status = at.status;
  }
}
