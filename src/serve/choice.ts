import { type Alternative, alternativesOf } from '../api/alternatives.ts';
import { type Answer, finisher, untilStop } from '../api/generate.ts';
import { score } from '../api/score.ts';
import { type StateEvent, streamIn } from '../api/stream.ts';
import { Writer } from '../api/text.ts';
import type { Tokenizer } from '../checkpoint/tokenizer.ts';
import { type Hooks, sampleIn } from '../sampling/sample.ts';
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
 * @param listener where there is none the answer is drawn as the library draws it
 */
export async function drawChoice(
  server: Server,
  prompt: Uint32Array,
  wants: Wants,
  index: number,
  top: number | undefined,
  signal: AbortSignal,
  listener?: Listener,
): Promise<Outcome> {
  const { options, resolved, isPlain } = wants;
  const { model, forest } = server;
  const { tokenizer, eosTokens } = model;
  const { stop: stops = [], extract, pick } = options;
  const chain = resolved.chain + index;
  const records = new Records();
  const draw = async (): Promise<Answer> => {
    if (!isPlain && listener?.state) {
      for await (const event of streamIn(forest, model, prompt, { ...options, chain, signal })) {
        if (event.type === 'state') await listener.state(event);
        else if (event.type === 'end') return event.answer;
      }
      throw signal.reason;
    }
    const told = isPlain && (listener?.text || top !== undefined);
    const hooks = told
      ? telling(model, stops, top, records, listener)
      : { until: untilStop(tokenizer, stops) };
    const finish = finisher(model, stops, extract, pick);
    const answer = await finish(
      await sampleIn(forest, prompt, { ...resolved, chain }, { ...hooks, signal }),
      prompt,
    );
    signal.throwIfAborted();
    return answer;
  };
  const answer = await draw();
  const { tokens, finish } = answer.picked;
  const { text, stop } = answer as Answer & { readonly text: string }; // there is a tokenizer
  if (top !== undefined && !isPlain) {
    const written = eosTokens.has(tokens[tokens.length - 1]) ? tokens.subarray(0, -1) : tokens;
    const all = [...prompt, ...written];
    for (const record of await recordsOf(server, all, prompt.length, top, resolved.alpha, signal))
      records.add(record);
  }
  const rest = records.before(stop === null ? Infinity : text.length);
  if (!isPlain || rest.length > 0) await listener?.text?.(isPlain ? '' : text, rest);
  return {
    text,
    finish: stop === null && finish === 'length' ? 'length' : 'stop',
    records: records.all,
    answer,
    chain,
  };
}

/** Records each token of an answer that is being drawn, where they are wanted, and tells its text. The text is made once: the same writer ends it. */
function telling(
  { tokenizer, eosTokens }: Server['model'],
  stops: readonly string[],
  top: number | undefined,
  records: Records,
  listener: Listener | undefined,
): Pick<Hooks, 'until' | 'onToken'> {
  const writer = new Writer(tokenizer, stops);
  let [offset, text, told] = [0, '', 0];
  return {
    until: () => (token) => {
      offset = writer.length;
      text = writer.push(token);
      return writer.stopped;
    },
    onToken({ token, logProbability, finish, alternatives }) {
      if (eosTokens.has(token))
        text = ''; // nobody asked whether it ends the answer
      else if (top !== undefined) {
        const likeliest = alternativesOf(tokenizer, alternatives(Math.max(1, top)));
        records.add({ token, offset, logProbability, alternatives: likeliest });
      }
      if (finish !== null) text += writer.end();
      if (text === '') return undefined;
      told += text.length;
      return listener?.text?.(text, records.before(told));
    },
  };
}

/** Of the tokens of an answer, of which the last wait until their text is told. */
class Records {
  readonly all: TokenRecord[] = [];
  private waiting: TokenRecord[] = [];

  add(record: TokenRecord): void {
    this.waiting.push(record);
  }

  /** Those of text before character `end`, each once. */
  before(end: number): readonly TokenRecord[] {
    if (this.waiting.length === 0) return NONE;
    const released = this.waiting.filter(({ offset }) => offset < end);
    this.waiting = this.waiting.slice(released.length);
    this.all.push(...released);
    return released;
  }
}

const NONE: readonly TokenRecord[] = [];

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
