/** What the system let the sandbox forbid, beside the time limit, the limits on each file and on new processes. */
export interface Isolation {
  /** No socket reaches anything. */
  readonly network: boolean;
  /** No other process can be signalled, and none started, by a system call either. */
  readonly processes: boolean;
  /** Nothing outside the program's own folder can be written, removed or have its mode changed. */
  readonly files: boolean;
  /** Nothing outside that folder can be read but Python and what the system has for all programs. */
  readonly reading: boolean;
  /** What it writes is bounded in all, in bytes and in number of files. */
  readonly disk: boolean;
  /** The address space is bounded. */
  readonly memory: boolean;
}

/** What the bootstrap reads from stdin, as JSON. */
export interface SandboxRequest {
  /** Python to run in a module whose `__name__` is `program`, and checks, which see a copy of its names. */
  readonly programs: readonly string[];
  /** What the checks take from the program even where Python has a function of that name. */
  readonly entryPoint: string | null;
  /** Written back when all of them ran to their end. */
  readonly nonce: string;
  /** User and group to change to first; null to stay. */
  readonly uid: number | null;
  /** The process that this one must not outlive. */
  readonly parent: number;
  /** Seconds of processor time. */
  readonly cpu: number;
  /** Bytes. */
  readonly memory: number;
}

/** The first line on descriptor 3: the sandbox stands, or why it does not. */
export type SandboxReport = Isolation | { readonly error: string };
