import { CheckpointError, DeviceLostError, OptionError, OutOfMemoryError } from '../base/errors.ts';
import { Refusal } from './refusal.ts';

/** An error in OpenAI's shape. */
export interface ErrorBody {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string;
  };
}

export interface Failure {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: ErrorBody;
}

/** What a client is told of an error. Of one that is not meant for it nothing but that it was: it may name paths. */
export function failureOf(error: unknown): Failure {
  const refusal = error instanceof Refusal ? error : refusalOf(error);
  const { status, code, message, param, headers } = refusal;
  const type = status === 429 ? 'rate_limit_error' : status >= 500 ? 'server_error' : 'invalid_request_error';
  return { status, headers, body: { error: { message, type, param, code } } };
}

const codeOf = (error: unknown): string => {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' ? code : 'internal';
};

function refusalOf(error: unknown): Refusal {
  const code = codeOf(error);
  if (error instanceof OptionError) return new Refusal(400, code, error.message);
  if (error instanceof OutOfMemoryError) return new Refusal(400, code, error.message);
  // The chat template refuses, or a regular expression of the tokenizer does not end on this text.
  if (error instanceof CheckpointError)
    return new Refusal(400, code, error.message.slice(error.file.length).replace(/^:? /, ''));
  if (error instanceof DeviceLostError) return new Refusal(503, code, error.message);
  return new Refusal(500, code, 'the server has failed on this request');
}
