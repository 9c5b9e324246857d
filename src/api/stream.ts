import { Extractor } from '../answers/extract.ts';
import { type AnswerShare, shares } from '../answers/shares.ts';
import type { Account, DrawnToken, Hooks, Progress } from '../sampling/sample.ts';
import { sample, sampleIn } from '../sampling/sample.ts';
import { type Visit, visitsAfter } from '../sampling/visits.ts';
import type { Forest } from '../tree/forest.ts';
import { type Alternative, alternativesOf, checkTopLogprobs } from './alternatives.ts';
import {
  type Answer,
  finisher,
  type GenerateOptions,
  type GenerativeModel,
  untilStop,
  withModelDefaults,
} from './generate.ts';
import { encodePrompt, type Prompt } from './prompt.ts';
import { answerText, Writer } from './text.ts';

/** The options of `generate`, and what is told of each token. */
export interface StreamOptions extends Omit<GenerateOptions, 'onProgress'> {
  /**
   * greedy and sample: how many alternatives are told with each token, 0 to 20. The greedy token is among them even with 0, which is the
   * default. There are fewer where the model lists fewer.
   */
  topLogprobs?: number;
}

/** greedy and sample: a token has been drawn. Each comes once, in order. */
export interface TokenEvent {
  /** Tells events apart. */
  readonly type: 'token';
  /** Its id. */
  readonly token: number;
  /**
   * What is added to the text of the answer; all of them together are that text. A character of which bytes are missing is held back, and
   * so is what may be the beginning of a stop string. null where the model has no tokenizer.
   */
  readonly text: string | null;
  /** log p under the base model at temperature 1, nats. */
  readonly logProbability: number;
  /** Of the distribution the token was drawn from, at temperature 1, nats. */
  readonly entropy: number;
  /** The likeliest tokens in this place, the greedy one first. */
  readonly alternatives: readonly Alternative[];
}

/** The other samplers: the response as it is now. A later state may take back what this one says. */
export interface StateEvent {
  /** Tells events apart. */
  readonly type: 'state';
  /** Steps taken, growth included, of the `steps` still foreseen. */
  readonly step: number;
  /** Fewer once the response has ended early. */
  readonly steps: number;
  /** The block, from 1, up to which the response has been grown, of `blocks`. */
  readonly block: number;
  /** Blocks foreseen. */
  readonly blocks: number;
  /** Of the response, so far. */
  readonly tokens: Uint32Array;
  /** Of the distribution that each of the tokens was drawn from, at temperature 1, nats. */
  readonly entropy: Float64Array;
  /** null where the model has no tokenizer. */
  readonly text: string | null;
  /** log p of the tokens, nats. */
  readonly logProbability: number;
  /** What the run has come by so far; the weights sum to 1, or there is nothing yet. */
  readonly visits: readonly Visit[];
  /** What the run has cost so far. */
  readonly account: Readonly<Account>;
  /** With `extract`: final answers with their estimated probabilities by what the run has come by so far, most probable first. */
  readonly answers?: readonly AnswerShare[];
}

/** The answer is there. */
export interface EndEvent {
  /** Tells events apart. */
  readonly type: 'end';
  /** What `generate` gives with the same options, in every bit; only the guesses in its account may be others. */
  readonly answer: Answer;
}

/** What `stream` tells, one after another. */
export type StreamEvent = TokenEvent | StateEvent | EndEvent;

/** Events as they are asked for, once. `return`, which leaving a `for await` calls, ends the run and gives its memory back. */
export interface EventStream extends AsyncIterableIterator<StreamEvent> {
  /** Ends the run at once; settles when all that it held is given back. */
  return(): Promise<IteratorResult<StreamEvent>>;
  /** The same as `return`, at the end of the block of an `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** Tokens that wait to be asked for, at most: the run goes on when half of them are gone. */
const WAITING = 64;

/**
 * Answers a prompt and tells how it comes about: tokens by greedy and sample, states by the other samplers, and the answer at the
 * end. The run begins when the first event is asked for. Who asks slowly slows tokens down: 64 wait at most, and the run waits with them. States
 * do not wait: the newest takes the place of one that nobody has asked for.
 *
 * Errors reject the iteration: OptionError for options out of range, what the model's engine throws, the signal's reason.
 */
export function stream(model: GenerativeModel, prompt: Prompt, options: StreamOptions = {}): EventStream {
  return new Events(model, prompt, options);
}

/** As `stream`, side by side with others: what they have computed is found in the forest, whose model it is. @internal */
export function streamIn(
  forest: Forest,
  model: GenerativeModel,
  prompt: ArrayLike<number>,
  options: StreamOptions,
): EventStream {
  return new Events(model, prompt, options, (_, tokens, resolved, hooks = {}) =>
    sampleIn(forest, tokens, resolved, hooks),
  );
}

class Events implements EventStream {
  private readonly model: GenerativeModel;
  private readonly sample: typeof sample;
  private readonly prompt: Prompt;
  private readonly options: StreamOptions;
  private readonly stop = new AbortController();
  private readonly tokens: TokenEvent[] = [];
  private state: (() => Promise<StateEvent>) | undefined;
  private outcome: { answer: Answer } | { error: unknown } | undefined;
  private closed = false;
  private run: Promise<void> | undefined;
  /** Events are handed out one after another, whoever asks. */
  private turn: Promise<unknown> = Promise.resolve();
  /** Wakes whoever waits for an event, and the run that waits until tokens are gone. */
  private wake: () => void = () => {};
  private goOn: () => void = () => {};

  constructor(model: GenerativeModel, prompt: Prompt, options: StreamOptions, by = sample) {
    this.model = model;
    this.sample = by;
    this.prompt = prompt;
    this.options = options;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<StreamEvent>> {
    const event = this.turn.then(() => this.take());
    this.turn = event.catch(() => undefined);
    return event;
  }

  async return(): Promise<IteratorResult<StreamEvent>> {
    this.closed = true;
    this.stop.abort();
    this.wake();
    await this.run;
    return DONE;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  private async take(): Promise<IteratorResult<StreamEvent>> {
    this.run ??= this.closed ? Promise.resolve() : this.begin();
    for (;;) {
      if (this.closed) return DONE;
      const { outcome, state } = this;
      const token = this.tokens.shift();
      if (token) {
        if (this.tokens.length <= WAITING / 2) this.goOn();
        return { done: false, value: token };
      }
      if (state) {
        this.state = undefined;
        const value = await state();
        if (!this.closed && !this.stop.signal.aborted) return { done: false, value };
      } else if (outcome) {
        this.closed = true;
        if ('error' in outcome) throw outcome.error;
        return { done: false, value: { type: 'end', answer: outcome.answer } };
      } else {
        await new Promise<void>((resolve) => {
          this.wake = resolve;
        });
      }
    }
  }

  /** Runs to the end; settles when all is given back. */
  private async begin(): Promise<void> {
    const { signal } = this.options;
    const abort = () => this.stop.abort(signal?.reason);
    if (signal?.aborted) abort();
    signal?.addEventListener('abort', abort);
    this.stop.signal.addEventListener('abort', () => this.goOn());
    try {
      this.outcome = { answer: await this.draw() };
    } catch (error) {
      this.outcome = { error };
      if (this.stop.signal.aborted) this.tokens.length = 0;
      this.state = undefined;
    } finally {
      signal?.removeEventListener('abort', abort);
      this.wake();
    }
  }

  private async draw(): Promise<Answer> {
    const { model, prompt } = this;
    const { chat, stop = [], extract, pick, signal: _, topLogprobs, ...given } = this.options;
    const finish = finisher(model, stop, extract, pick);
    const options = withModelDefaults(model.defaults, given);
    const { sampler } = options;
    const plain = sampler === 'greedy' || sampler === 'sample';
    if (topLogprobs !== undefined) checkTopLogprobs(topLogprobs, plain ? undefined : sampler);
    const promptTokens = encodePrompt(model.tokenizer, prompt, chat);
    const { signal } = this.stop;
    const hooks: Hooks = plain
      ? { signal, until: untilStop(model.tokenizer, stop), onToken: this.teller(stop, topLogprobs) }
      : { signal, until: untilStop(model.tokenizer, stop), onProgress: this.reporter(stop) };
    const drawn = await this.sample(model, promptTokens, options, hooks);
    const answer = await finish(drawn, promptTokens);
    signal.throwIfAborted();
    return answer;
  }

  /** Makes events of tokens. */
  private teller(stop: readonly string[], topLogprobs = 0): Hooks['onToken'] {
    const { tokenizer, eosTokens } = this.model;
    const writer = tokenizer && new Writer(tokenizer, stop);
    const textOf = ({ token, finish }: DrawnToken) => {
      if (!writer) return null;
      const text = eosTokens.has(token) ? '' : writer.push(token);
      return finish === null ? text : text + writer.end();
    };
    return (drawn) => {
      const { token, logProbability, entropy } = drawn;
      const alternatives = alternativesOf(tokenizer, drawn.alternatives(Math.max(1, topLogprobs)));
      this.tokens.push({ type: 'token', token, text: textOf(drawn), logProbability, entropy, alternatives });
      this.wake();
      if (this.tokens.length < WAITING || this.stop.signal.aborted) return undefined;
      return new Promise((resolve) => {
        this.goOn = resolve;
      });
    };
  }

  /** Makes an event of the newest state, once it is asked for. */
  private reporter(stop: readonly string[]): Hooks['onProgress'] {
    const { tokenizer, eosTokens } = this.model;
    const textOf = (tokens: Uint32Array) =>
      tokenizer ? answerText(tokenizer, tokens, eosTokens, stop).text : null;
    const answersOf = this.answersBy(textOf);
    return ({ step, steps, block, blocks, account, tokens, entropy, logp, visited }: Progress) => {
      const seen = visited();
      this.state = async () => {
        const visits = visitsAfter(seen);
        return {
          type: 'state',
          step,
          steps,
          block,
          blocks,
          tokens,
          entropy,
          text: textOf(tokens),
          logProbability: logp,
          visits,
          account,
          ...(answersOf && { answers: await answersOf(visits) }),
        };
      };
      this.wake();
    };
  }

  private answersBy(
    textOf: (tokens: Uint32Array) => string | null,
  ): ((visits: readonly Visit[]) => Promise<AnswerShare[]>) | undefined {
    const { extract } = this.options;
    if (extract === undefined) return undefined;
    const extractor = new Extractor(extract);
    let known = new Map<string, string | null>(); // the answers of the texts of the state before
    return async (visits) => {
      const found = new Map<string, string | null>();
      const answers: (string | null)[] = [];
      for (const { tokens } of visits) {
        const text = textOf(tokens) ?? '';
        const before = found.get(text) ?? known.get(text);
        const answer = before === undefined ? await extractor.answer(text) : before;
        found.set(text, answer);
        answers.push(answer);
      }
      known = found;
      return shares(visits, answers);
    };
  }
}

const DONE: IteratorResult<StreamEvent> = { done: true, value: undefined };
