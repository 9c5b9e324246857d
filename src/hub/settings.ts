import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { OptionError } from '../base/errors.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** What the environment says, by the variables of Python's huggingface_hub. */
export interface Settings {
  /** The folder of the cache. */
  readonly cache: string;
  /** Without a slash at its end. */
  readonly endpoint: string;
  readonly token: string | undefined;
  readonly offline: boolean;
  /** Whether links may be tried. */
  readonly links: boolean;
}

const isOn = (value: string | undefined): boolean => /^(1|on|yes|true)$/i.test(value ?? '');

/** @throws OptionError a variable has a value that cannot be used */
export async function readSettings(env: Environment = process.env): Promise<Settings> {
  const home = env.HOME || env.USERPROFILE || homedir();
  const path = (text: string) =>
    resolve(
      text
        .replace(/^~(?=[/\\]|$)/, home)
        .replace(/\$(?:(\w+)|\{([^}]*)\})/g, (whole, bare, braced) => env[bare ?? braced] ?? whole),
    );
  const base = path(env.HF_HOME || join(env.XDG_CACHE_HOME || join(home, '.cache'), 'huggingface'));
  const endpoint = (env.HF_ENDPOINT || 'https://huggingface.co').replace(/\/+$/, '');
  if (!URL.canParse(endpoint) || !/^https?:/.test(endpoint))
    throw new OptionError(
      `HF_ENDPOINT is ${JSON.stringify(endpoint)}: an address such as https://huggingface.co`,
    );
  return {
    cache: path(env.HF_HUB_CACHE || env.HUGGINGFACE_HUB_CACHE || join(base, 'hub')),
    endpoint,
    token: isOn(env.HF_HUB_DISABLE_IMPLICIT_TOKEN)
      ? undefined
      : await readToken(env, path(env.HF_TOKEN_PATH || join(base, 'token'))),
    offline: isOn(env.HF_HUB_OFFLINE || env.TRANSFORMERS_OFFLINE),
    links: !isOn(env.HF_HUB_DISABLE_SYMLINKS),
  };
}

/** Of the environment, or of the file that `hf auth login` writes. */
async function readToken(env: Environment, file: string): Promise<string | undefined> {
  const given = env.HF_TOKEN || env.HUGGING_FACE_HUB_TOKEN;
  const token = (given ?? (await readFile(file, 'utf8').catch(() => ''))).trim();
  if (token === '') return undefined;
  // Nothing else may stand in a header; the token itself must not be in a message.
  if (!/^[\x21-\x7e]+$/.test(token))
    throw new OptionError(`${given ? 'HF_TOKEN' : file} has characters that no token has`);
  return token;
}
