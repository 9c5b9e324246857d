import type { Alternative } from '../api/alternatives.ts';
import type { Answer } from '../api/generate.ts';
import { score } from '../api/score.ts';
import { type StateEvent, streamIn } from '../api/stream.ts';
import type { Tokenizer } from '../checkpoint/tokenizer.ts';
import type { Server } from './context.ts';
import type { Life } from './life.ts';
import type { Wants } from './wants.ts';

/** A token of an answer or a prompt, and what might have come in its place. */
export interface TokenRecord {
  readonly token: number;
  /** Characters of text before it. */
  readonly offset: number;
  /** null where nothing precedes it. */
  readonly logProbability: number | null;
  /** The likeliest first. */
  readonly alternatives: readonly Alternative[];
}

/** One answer. */
export interface Outcome {
  readonly text: string;
  readonly finish: 'stop' | 'length';
  /** Of its text: without EOS and what a stop string cut off. Empty where nobody asked. */
  readonly records: readonly TokenRecord[];
  /** null where no token was asked for. */
  readonly answer: Answer | null;
  readonly chain: number;
}

/** Is told how an answer comes about. What it gives is waited for. */
export interface Listener {
  /** Text that stays, and the records of its tokens. */
  text?(text: string, records: readonly TokenRecord[]): Promise<void> | undefined;
  /** A chain is on its way. */
  state?(state: StateEvent): Promise<void> | undefined;
}

/** Does a part of a request's work in a place that was booked. */
export function seated<T>(
  { desk }: Server,
  life: Life,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  return life.within(async (signal) => {
    const leave = await desk.take(signal);
    try {
      return await work(signal);
    } finally {
      leave();
    }
  });
}

/**
 * Draws an answer.
 * @param top how many alternatives are recorded of each token; undefined: no records
 */
export async function drawChoice(
  server: Server,
  prompt: Uint32Array,
  { options, resolved, isPlain }: Wants,
  index: number,
  top: number | undefined,
  signal: AbortSignal,
  listener: Listener = {},
): Promise<Outcome> {
  const { model, forest } = server;
  const { tokenizer, eosTokens } = model;
  const chain = resolved.chain + index;
  const offset = offsets(tokenizer);
  const records: TokenRecord[] = [];
  let waiting: TokenRecord[] = []; // of text that is held back
  let shown = 0;
  const release = (from: number) => {
    const released = waiting.filter((record) => record.offset < from);
    waiting = waiting.slice(released.length);
    records.push(...released);
    return released;
  };
  const events = streamIn(forest, model, prompt, {
    ...options,
    chain,
    signal,
    topLogprobs: isPlain ? top : undefined,
  });
  for await (const event of events) {
    if (event.type === 'token') {
      const { token, logProbability, alternatives, text } = event;
      if (top !== undefined && !eosTokens.has(token))
        waiting.push({ token, offset: offset(token), logProbability, alternatives });
      if (!text) continue;
      shown += text.length;
      await listener.text?.(text, release(shown));
    } else if (event.type === 'state') {
      await listener.state?.(event);
    } else {
      const { answer } = event;
      const { tokens, finish } = answer.picked;
      const { text, stop } = answer as Answer & { readonly text: string }; // there is a tokenizer
      if (top !== undefined && !isPlain) {
        const written = eosTokens.has(tokens[tokens.length - 1]) ? tokens.subarray(0, -1) : tokens;
        waiting = await recordsOf(
          server,
          [...prompt, ...written],
          prompt.length,
          top,
          resolved.alpha,
          signal,
        );
      }
      const rest = release(stop === null ? Infinity : text.length);
      if (!isPlain || rest.length > 0) await listener.text?.(isPlain ? '' : text, rest);
      return {
        text,
        finish: stop === null && finish === 'length' ? 'length' : 'stop',
        records,
        answer,
        chain,
      };
    }
  }
  throw signal.reason;
}

/** The records of given tokens from number `from` on. */
export async function recordsOf(
  { model }: Server,
  tokens: readonly number[],
  from: number,
  top: number,
  alpha: number,
  signal: AbortSignal,
): Promise<TokenRecord[]> {
  const { logp, alternatives } = await score(model, tokens, { alpha, topLogprobs: top, signal });
  const offset = offsets(model.tokenizer);
  return tokens.slice(from).map((token, i) => {
    const before = from + i - 1;
    const isFirst = before < 0; // nothing precedes it
    return {
      token,
      offset: offset(token),
      logProbability: isFirst ? null : logp[before],
      alternatives: isFirst ? [] : alternatives[before],
    };
  });
}

/** Tells of tokens one after another how much text stands before each. */
function offsets(tokenizer: Tokenizer): (token: number) => number {
  const decoder = tokenizer.stream();
  let end = 0;
  return (token) => {
    const start = end;
    end += decoder.push(token).length;
    return start;
  };
}
