import type { Tokenizer } from '../checkpoint/tokenizer.ts';
import type { TokenRecord } from './choice.ts';

/** A token as clients see it. */
interface Shown {
  /** Its text; of a part of a character its bytes, spelled out. */
  readonly text: string;
  readonly bytes: readonly number[];
  readonly isPart: boolean;
}

const shownBy = new WeakMap<Tokenizer, Map<number, Shown>>();
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function shown(tokenizer: Tokenizer, token: number): Shown {
  const known = shownBy.get(tokenizer) ?? new Map<number, Shown>();
  shownBy.set(tokenizer, known);
  let found = known.get(token);
  if (!found) {
    const bytes = tokenizer.tokenBytes(token);
    try {
      found = { text: strict.decode(bytes), bytes: [...bytes], isPart: false };
    } catch {
      const text = Array.from(bytes, (byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('');
      found = { text, bytes: [...bytes], isPart: true };
    }
    known.set(token, found);
  }
  return found;
}

/** JSON has no −∞; OpenAI writes this for what is very improbable. */
const finite = (value: number): number => Math.max(value, -9999);

/** `logprobs` of `/v1/completions`. */
export interface Logprobs {
  readonly tokens: string[];
  readonly token_logprobs: (number | null)[];
  readonly top_logprobs: (Record<string, number> | null)[];
  readonly text_offset: number[];
}

export function logprobsOf(tokenizer: Tokenizer, records: readonly TokenRecord[]): Logprobs {
  const key = (token: number) => {
    const { text, isPart } = shown(tokenizer, token);
    return isPart ? `bytes:${text}` : text;
  };
  /** The token first, so that it has its own value where another one has the same text. */
  const topOf = ({ token, logProbability, alternatives }: TokenRecord) => {
    if (logProbability === null) return null;
    const all = [{ token, logProbability }, ...alternatives];
    const top = new Map<string, number>();
    const seen = new Set<number>();
    for (const { token, logProbability } of all) {
      if (seen.has(token)) continue;
      seen.add(token);
      top.set(top.has(key(token)) ? `token_id:${token}` : key(token), finite(logProbability));
    }
    return Object.fromEntries(top);
  };
  return {
    tokens: records.map(({ token }) => key(token)),
    token_logprobs: records.map(({ logProbability }) => logProbability && finite(logProbability)),
    top_logprobs: records.map(topOf),
    text_offset: records.map(({ offset }) => offset),
  };
}

/** A token in a chat's `logprobs`. */
interface ChatToken {
  readonly token: string;
  readonly logprob: number;
  readonly bytes: readonly number[];
}

/** `logprobs` of `/v1/chat/completions`. */
interface ChatLogprobs {
  readonly content: (ChatToken & { readonly top_logprobs: ChatToken[] })[];
  readonly refusal: null;
}

/** @param top how many alternatives each token is told with */
export function chatLogprobsOf(
  tokenizer: Tokenizer,
  records: readonly TokenRecord[],
  top: number,
): ChatLogprobs {
  const told = (token: number, logProbability: number) => {
    const { text, bytes } = shown(tokenizer, token);
    return { token: text, logprob: finite(logProbability), bytes };
  };
  const content = records.map(({ token, logProbability, alternatives }) => ({
    ...told(token, logProbability ?? 0),
    top_logprobs: alternatives.slice(0, top).map(({ token, logProbability }) => told(token, logProbability)),
  }));
  return { content, refusal: null };
}
