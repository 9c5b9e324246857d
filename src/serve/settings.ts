/** What a server is told when it is started. */
export interface Settings {
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  /** Asked of every request but those for `/health` and the page; none where it is undefined. */
  readonly apiKey?: string;
  /** Chains that are computed side by side. */
  readonly concurrency: number;
  /** Chains that wait for a place, at most. */
  readonly queue: number;
  /** Seconds from a request to the end of its answer. */
  readonly deadline: number;
  /** Most tokens of an answer. */
  readonly maxTokens: number;
  /** Origins whose pages may call, `*` for all. */
  readonly cors: readonly string[];
  /** Whether the log shows prompts. */
  readonly logPrompts: boolean;
}

export const SERVE_DEFAULTS = {
  host: '127.0.0.1',
  port: 8000,
  concurrency: 64,
  queue: 256,
  deadline: 600,
} as const;
