import { show } from '../base/show.ts';

/** What is wrong with a request, as a client is told it. */
export class Refusal extends Error {
  override name = 'Refusal';
  readonly status: number;
  readonly code: string;
  /** The field concerned, where there is one. */
  readonly param: string | null;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    code: string,
    message: string,
    { param = null, headers = {} }: { param?: string | null; headers?: Record<string, string> } = {},
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.param = param;
    this.headers = headers;
  }
}

/** What cannot be computed as asked, by the field that says so. */
export const wrongField = (param: string, message: string, code = 'invalid_value'): Refusal =>
  new Refusal(400, code, message, { param });

/** The client has gone: nobody reads what it is told. */
export const clientGone = (): Refusal => new Refusal(499, 'client_gone', 'the client has gone away');

export const pastDeadline = (seconds: number): Refusal =>
  new Refusal(504, 'deadline', `no answer within ${seconds} s, the deadline of this server`, {
    headers: { 'x-should-retry': 'false' }, // it would take as long again
  });

export const stopping = (): Refusal =>
  new Refusal(503, 'stopping', 'this server is being stopped', { headers: { 'retry-after': '10' } });

export const unknownModel = (asked: string, name: string): Refusal =>
  new Refusal(404, 'model_not_found', `there is no model ${show(asked)} here: the model is ${show(name)}`, {
    param: 'model',
  });
