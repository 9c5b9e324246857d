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
  FetchError: 'fetch',
} as const;

/** One of ERROR_CODES. */
export type ErrorCode = (typeof ERROR_CODES)[keyof typeof ERROR_CODES];

/** Every error this library raises on purpose. Each names the thing and the number; none is retried silently. */
export abstract class EgpsError extends Error {
  /** A constant that tells what class it is of: see ERROR_CODES. */
  declare readonly code: ErrorCode;
  /** `because`: the error that led to it, where there is one, becomes its `cause`. */
  constructor(message: string, because?: { cause?: unknown }) {
    super(message, because?.cause === undefined ? undefined : { cause: because.cause });
  }
}

/** On the prototype, before any is made, so that the stack begins with the name too. */
function named(of: { readonly prototype: EgpsError }, name: keyof typeof ERROR_CODES): void {
  Object.assign(of.prototype, { name, code: ERROR_CODES[name] });
}

/** A bad argument or option: its name, its value and what was allowed stand in the message. */
export class OptionError extends EgpsError {
  static {
    named(OptionError, 'OptionError');
  }
}

/** A checkpoint file that is not what it claims to be. */
export class CheckpointError extends EgpsError {
  static {
    named(CheckpointError, 'CheckpointError');
  }
  /** Its path. */
  readonly file: string;
  /** The tensor concerned, where there is one. */
  readonly tensor?: string;
  /** Byte offset in the file, where there is one. */
  readonly offset?: number;
  /** `at`: where in the file, and the error that led to this one. */
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
  static {
    named(UnsupportedModelError, 'UnsupportedModelError');
  }
  /** Of the configuration. */
  readonly key: string;
  /** What it is there. */
  readonly value: unknown;
  /** `supported`: what it may be. */
  constructor(key: string, value: unknown, supported: string, because?: { cause?: unknown }) {
    super(`config key ${JSON.stringify(key)} is ${show(value)}: supported is ${supported}`, because);
    this.key = key;
    this.value = value;
  }
}

/** No usable WebGPU adapter: says what was looked for and what to install. */
export class AdapterError extends EgpsError {
  static {
    named(AdapterError, 'AdapterError');
  }
}

/** The adapter computes wrongly: a kernel is further from float64 than rounding explains. */
export class KernelError extends AdapterError {
  static {
    named(KernelError, 'KernelError');
  }
  /** Its file in shaders/, and the form in which it was run. */
  readonly kernel: string;
  /** The largest that was found. */
  readonly error: number;
  /** The largest that rounding explains. */
  readonly bound: number;
  /** `adapter`: its name. */
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
  static {
    named(OutOfMemoryError, 'OutOfMemoryError');
  }
  /** In bytes, or where the message says so in positions. */
  readonly needed: number;
  /** The same of what there is, where that can be known. */
  readonly available: number | undefined;
  /** `hint`: what to do. */
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
  static {
    named(DeviceLostError, 'DeviceLostError');
  }
  /** As WebGPU tells it, such as destroyed. */
  readonly reason: string;
  /** `message`: what WebGPU says of it. */
  constructor(reason: string, message: string, because?: { cause?: unknown }) {
    super(`the GPU device was lost (${reason}): ${message}`, because);
    this.reason = reason;
  }
}

/** A forward pass produced NaN or infinity; `layer` is the first module that did. */
export class NonFiniteError extends EgpsError {
  static {
    named(NonFiniteError, 'NonFiniteError');
  }
  /** As transformers names the module. */
  readonly layer: string;
  /** Of the token that it was computing, the prompt's first being 0. */
  readonly position: number;
  /** `layer`: the first module that did. */
  constructor(layer: string, position: number, because?: { cause?: unknown }) {
    super(`${layer} produced a non-finite value at position ${position}`, because);
    this.layer = layer;
    this.position = position;
  }
}

/** A model's numbers for a token are not those of a probability distribution, or of the one it was drawn from. */
export class DistributionError extends EgpsError {
  static {
    named(DistributionError, 'DistributionError');
  }
  /** Absolute position of the token, the prompt's first being 0. */
  readonly position: number;
  /** `message`: what is wrong with it. */
  constructor(message: string, position: number, because?: { cause?: unknown }) {
    super(`at position ${position} ${message}`, because);
    this.position = position;
  }
}

/** A file of problems, or a record of results, that is not what it should be. */
export class DataError extends EgpsError {
  static {
    named(DataError, 'DataError');
  }
  /** Its path. */
  readonly file: string;
  /** From 1, where the file is read by lines. */
  readonly line?: number;
  /** `line`: from 1. */
  constructor(file: string, message: string, line?: number, because?: { cause?: unknown }) {
    super(`${file}${line === undefined ? '' : `, line ${line}`}: ${message}`, because);
    this.file = file;
    this.line = line;
  }
}

/** An output folder that cannot be used as asked: in use, of another run, not writable, or full. */
export class OutputError extends EgpsError {
  static {
    named(OutputError, 'OutputError');
  }
  /** Of the folder or the file in it. */
  readonly path: string;
  /** `message`: what is the matter with it. */
  constructor(path: string, message: string, because?: { cause?: unknown }) {
    super(`${path}: ${message}`, because);
    this.path = path;
  }
}

/** Something outside that grading needs and that is not there, such as python3. */
export class GraderError extends EgpsError {
  static {
    named(GraderError, 'GraderError');
  }
}

/** A model that cannot be had from the Hub or its cache: which, why, and what to do. */
export class HubError extends EgpsError {
  static {
    named(HubError, 'HubError');
  }
  /** ID@REVISION */
  readonly model: string;
  /** The HTTP status, where there was an answer. */
  readonly status?: number;
  /** Files that are missing, where it is that. */
  readonly missing: readonly string[];
  /** `at`: what is known of it. */
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

/** A file that cannot be had from its address: which, why, and what to do. */
export class FetchError extends EgpsError {
  static {
    named(FetchError, 'FetchError');
  }
  /** Of the file. */
  readonly url: string;
  /** The HTTP status, where there was an answer. */
  readonly status?: number;
  /** `at`: what is known of it. */
  constructor(url: string, message: string, at: { status?: number; cause?: unknown } = {}) {
    super(`${url}: ${message}`, at);
    this.url = url;
    this.status = at.status;
  }
}
