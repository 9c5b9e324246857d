import { HubError } from '../base/errors.ts';
import { type ModelName, show } from './name.ts';
import type { Settings } from './settings.ts';
import type { Reply } from './transport.ts';

/** What an answer that refuses means, and what to do. */
export function refusal(
  name: ModelName,
  path: string,
  { status, headers }: Pick<Reply, 'status' | 'headers'>,
  { endpoint, token }: Pick<Settings, 'endpoint' | 'token'>,
): HubError {
  const code = headers.get('x-error-code');
  const said = headers.get('x-error-message');
  const fail = (message: string) => new HubError(show(name), `${message} (HTTP ${status})`, { status });
  const page = `${endpoint}/${name.id}`;
  if (code === 'GatedRepo') {
    const account = token
      ? 'with the account that HF_TOKEN belongs to'
      : 'and set HF_TOKEN to a token of that account';
    return fail(`is gated: accept its conditions at ${page}, ${account}`);
  }
  if (code === 'RevisionNotFound')
    return fail(
      `has no revision ${JSON.stringify(name.revision)}: give a branch, a tag or a whole commit behind "@"`,
    );
  if (code === 'EntryNotFound') return fail(`has no file ${path} at this revision`);
  const unread = token ? 'HF_TOKEN is not allowed to read it' : 'it is private and HF_TOKEN is not set';
  // Without a token the Hub tells nobody that a model does not exist.
  if (code === 'RepoNotFound' || (status === 404 && !code) || (status === 401 && !token))
    return fail(`is no folder here and no model at ${endpoint}: check the name, or ${unread}`);
  if (status === 401) return fail(`${endpoint} does not accept the token: renew HF_TOKEN, or unset it`);
  if (status === 403)
    return fail(`access is refused${said ? `: ${said}` : ''}; see ${page} for who may read it`);
  if (status === 429) {
    const seconds = waitOf(headers);
    const when = seconds === undefined ? 'try again later' : `try again in ${Math.ceil(seconds)} s`;
    return fail(
      `${endpoint} has had too many requests: ${when}${token ? '' : ', or set HF_TOKEN, which allows more'}`,
    );
  }
  if (status === 416) return fail(`${path} is shorter than ${endpoint} has told`);
  return fail(`${path} cannot be had from ${endpoint}${said ? `: ${said}` : ''}`);
}

/** Seconds after which to ask again, where the answer says so. */
export function waitOf(headers: Reply['headers']): number | undefined {
  const after = headers.get('retry-after');
  if (after !== null) {
    const seconds = /^\d+(\.\d+)?$/.test(after) ? Number(after) : (Date.parse(after) - Date.now()) / 1000;
    if (Number.isFinite(seconds)) return Math.max(0, seconds);
  }
  const [, rest] = /(?:^|;) *t=(\d+)/.exec(headers.get('ratelimit') ?? '') ?? [];
  return rest === undefined ? undefined : Number(rest);
}
