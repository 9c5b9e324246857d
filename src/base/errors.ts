import { show } from './show.ts';

/**
 * The `code` of each class of errors, by which a program tells them apart, also where they have crossed a border that classes do not. They
 * stay as they are from version to version.
 */
export const ERROR_CODES = {
  OptionError: 'option',
  CheckpointError: 'checkpoint',
  UnsupportedModelError: 'unsupported-model',
  AdapterError: 'adapter',
  KernelError: 'kernel',
  OutOfMemoryError: 'out-of-memory',
  DeviceLostError: 'device-lost',
  NonFiniteError: 'non-finite',
  DistributionError: 'distribution',
  DataError: 'data',
  OutputError: 'output',
  GraderError: 'grader',
  HubError: 'hub',
} as const;

/** One of ERROR_CODES. */
export type ErrorCode = (typeof ERROR_CODES)[keyof typeof ERROR_CODES];

/** Every error this library raises on purpose. Each names the thing and the number; none is retried silently. */
export abstract class EgpsError extends Error {
  /** What class it is of, as a constant: see ERROR_CODES. */
  abstract readonly code: ErrorCode;
  /** @param because the error that led to it, where there is one, becomes its `cause` */
  constructor(message: string, because?: { cause?: unknown }) {
    super(message, because?.cause === undefined ? undefined : { cause: because.cause });
  }
}

/** A bad argument or option: its name, its value and what was allowed stand in the message. */
export class OptionError extends EgpsError {
  override name = 'OptionError';
  override readonly code: ErrorCode = ERROR_CODES.OptionError;
}

/** A checkpoint file that is not what it claims to be. */
export class CheckpointError extends EgpsError {
  override name = 'CheckpointError';
  override readonly code: ErrorCode = ERROR_CODES.CheckpointError;
  readonly file: string;
  /** The tensor concerned, where there is one. */
  readonly tensor?: string;
  /** Byte offset in the file, where there is one. */
  readonly offset?: number;
  constructor(file: string, message: string, at: { tensor?: string; offset?: number; cause?: unknown } = {}) {
    const where = [
      at.tensor === undefined ? '' : `tensor ${show(at.tensor)}`,
      at.offset === undefined ? '' : `byte ${at.offset}`,
    ].filter(Boolean);
    super(`${file}${where.length ? ` (${where.join(', ')})` : ''}: ${message}`, at);
    this.file = file;
    this.tensor = at.tensor;
    this.offset = at.offset;
  }
}

/** A model that loads but asks for something this library does not compute. */
export class UnsupportedModelError extends EgpsError {
  override name = 'UnsupportedModelError';
  override readonly code: ErrorCode = ERROR_CODES.UnsupportedModelError;
  readonly key: string;
  readonly value: unknown;
  constructor(key: string, value: unknown, supported: string, because?: { cause?: unknown }) {
    super(`config key ${JSON.stringify(key)} is ${show(value)}: supported is ${supported}`, because);
    this.key = key;
    this.value = value;
  }
}

/** No usable WebGPU adapter: says what was looked for and what to install. */
export class AdapterError extends EgpsError {
  override name = 'AdapterError';
  override readonly code: ErrorCode = ERROR_CODES.AdapterError;
}

/** The adapter computes wrongly: a kernel is further from float64 than rounding explains. */
export class KernelError extends AdapterError {
  override name = 'KernelError';
  override readonly code: ErrorCode = ERROR_CODES.KernelError;
  /** Its file in shaders/, and the form in which it was run. */
  readonly kernel: string;
  /** Found, and allowed. */
  readonly error: number;
  readonly bound: number;
  constructor(adapter: string, kernel: string, error: number, bound: number, because?: { cause?: unknown }) {
    super(
      `${adapter} computes wrongly: kernel ${kernel} is off by ${error.toExponential(1)}, ${bound.toExponential(1)} is allowed; ` +
        'another version of the driver may help. egps info --self-test checks all kernels',
      because,
    );
    this.kernel = kernel;
    this.error = error;
    this.bound = bound;
  }
}

/** Raised before any work starts, with the bytes asked for and, where it can be known, the bytes available. */
export class OutOfMemoryError extends EgpsError {
  override name = 'OutOfMemoryError';
  override readonly code: ErrorCode = ERROR_CODES.OutOfMemoryError;
  readonly needed: number;
  readonly available: number | undefined;
  constructor(
    what: string,
    needed: number,
    available: number | undefined,
    hint: string,
    because?: { cause?: unknown },
  ) {
    const found = available === undefined ? 'the adapter has not got them' : `${available} are available`;
    super(`${what} needs ${needed} bytes, ${found}; ${hint}`, because);
    this.needed = needed;
    this.available = available;
  }
}

/** The device went away; every pending call rejects with this. */
export class DeviceLostError extends EgpsError {
  override name = 'DeviceLostError';
  override readonly code: ErrorCode = ERROR_CODES.DeviceLostError;
  readonly reason: string;
  constructor(reason: string, message: string, because?: { cause?: unknown }) {
    super(`the GPU device was lost (${reason}): ${message}`, because);
    this.reason = reason;
  }
}

/** A forward pass produced NaN or infinity; `layer` is the first module that did. */
export class NonFiniteError extends EgpsError {
  override name = 'NonFiniteError';
  override readonly code: ErrorCode = ERROR_CODES.NonFiniteError;
  readonly layer: string;
  readonly position: number;
  constructor(layer: string, position: number, because?: { cause?: unknown }) {
    super(`${layer} produced a non-finite value at position ${position}`, because);
    this.layer = layer;
    this.position = position;
  }
}

/** A model's numbers for a token are not those of a probability distribution, or of the one it was drawn from. */
export class DistributionError extends EgpsError {
  override name = 'DistributionError';
  override readonly code: ErrorCode = ERROR_CODES.DistributionError;
  /** Absolute position of the token, the prompt's first being 0. */
  readonly position: number;
  constructor(message: string, position: number, because?: { cause?: unknown }) {
    super(`at position ${position} ${message}`, because);
    this.position = position;
  }
}

/** A file of problems, or a record of results, that is not what it should be. */
export class DataError extends EgpsError {
  override name = 'DataError';
  override readonly code: ErrorCode = ERROR_CODES.DataError;
  readonly file: string;
  /** From 1, where the file is read by lines. */
  readonly line?: number;
  constructor(file: string, message: string, line?: number, because?: { cause?: unknown }) {
    super(`${file}${line === undefined ? '' : `, line ${line}`}: ${message}`, because);
    this.file = file;
    this.line = line;
  }
}

/** An output folder that cannot be used as asked: in use, of another run, not writable, or full. */
export class OutputError extends EgpsError {
  override name = 'OutputError';
  override readonly code: ErrorCode = ERROR_CODES.OutputError;
  readonly path: string;
  constructor(path: string, message: string, because?: { cause?: unknown }) {
    super(`${path}: ${message}`, because);
    this.path = path;
  }
}

/** Something outside that grading needs and that is not there, such as python3. */
export class GraderError extends EgpsError {
  override name = 'GraderError';
  override readonly code: ErrorCode = ERROR_CODES.GraderError;
}

/** A model that cannot be had from the Hub or its cache: which, why, and what to do. */
export class HubError extends EgpsError {
  override name = 'HubError';
  override readonly code: ErrorCode = ERROR_CODES.HubError;
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
    super(`${model}: ${message}`, at);
    this.model = model;
    this.status = at.status;
    this.missing = at.missing ?? [];
  }
}
