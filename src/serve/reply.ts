import type { StateEvent } from '../api/stream.ts';
import { notesOf, originOf, progressOf, type Usage } from './answers.ts';
import type { Answering } from './app.ts';
import { type Listener, type Outcome, seated, type TokenRecord } from './choice.ts';
import type { Server } from './context.ts';
import type { Life } from './life.ts';
import type { Wants } from './wants.ts';

/** How one of OpenAI's endpoints writes the choices of an answer. */
export interface Shape {
  /** What an id begins with, and what an answer and a piece of one are called. */
  readonly id: string;
  readonly answer: string;
  readonly piece: string;
  whole(choice: number, outcome: Outcome): object;
  /** What comes before all text, if anything does. */
  readonly first?: (choice: number) => object;
  /** A piece of text that stays. */
  text(choice: number, text: string, records: readonly TokenRecord[]): object;
  last(choice: number, outcome: Outcome): object;
}

/** Draws one of the choices. */
export type Draw = (signal: AbortSignal, listener?: Listener) => Promise<Outcome>;

interface How {
  readonly stream?: boolean | null;
  readonly stream_options?: { readonly include_usage?: boolean | null } | null;
  /** Whether the request has `egps`: its choices then tell more than OpenAI's. */
  readonly egps?: object | null;
}

/** Answers with choices that are drawn side by side. @throws Refusal where the queue has no room for them */
export async function reply(
  server: Server,
  life: Life,
  shape: Shape,
  draws: readonly Draw[],
  wants: Wants,
  { stream, stream_options: streamOptions, egps }: How,
): Promise<Answering> {
  server.desk.book(draws.length);
  const head = {
    id: `${shape.id}-${crypto.randomUUID().replaceAll('-', '')}`,
    created: Math.floor(Date.now() / 1000),
    model: server.name,
    system_fingerprint: server.fingerprint,
    egps: originOf(wants),
  };
  const noted = (choice: object, outcome: Outcome) =>
    egps && outcome.answer ? { ...choice, egps: notesOf(outcome) } : choice;
  const count = ({ answer }: Outcome) => {
    life.usage.completion += answer?.picked.tokens.length ?? 0;
  };

  if (!stream) {
    const outcomes = await all(
      life,
      draws.map((draw) => seated(server, life, draw)),
    );
    outcomes.forEach(count);
    const choices = outcomes.map((outcome, i) => noted(shape.whole(i, outcome), outcome));
    return { json: { ...head, object: shape.answer, choices, usage: usageOf(life) } };
  }

  const withUsage = streamOptions?.include_usage;
  // What all pieces have is written once.
  const before = `${JSON.stringify({ ...head, object: shape.piece }).slice(0, -1)},"choices":[`;
  const after = withUsage ? '],"usage":null}' : ']}';
  return {
    async events(send) {
      const tell = (choice: object) => send(before + JSON.stringify(choice) + after);
      const listener = (i: number): Listener => ({
        text: (text, records) => tell(shape.text(i, text, records)),
        state: (state: StateEvent) => tell({ ...shape.text(i, '', []), egps: progressOf(state) }),
      });
      const told = async (draw: Draw, i: number) => {
        const outcome = await seated(server, life, async (signal) => {
          if (shape.first) await tell(shape.first(i));
          return draw(signal, listener(i));
        });
        count(outcome);
        await tell(noted(shape.last(i, outcome), outcome));
      };
      await all(life, draws.map(told));
      if (withUsage) await send(`${before}],"usage":${JSON.stringify(usageOf(life))}}`);
      await send('[DONE]');
    },
  };
}

const usageOf = ({ usage: { prompt, completion } }: Life): Usage => ({
  prompt_tokens: prompt,
  completion_tokens: completion,
  total_tokens: prompt + completion,
});

/** What all of them give. Where one fails the others are given up, and nothing goes on when this is over. */
async function all<T>(life: Life, works: readonly Promise<T>[]): Promise<T[]> {
  const settled = await Promise.allSettled(
    works.map((work) =>
      work.catch((error) => {
        life.abort(error);
        throw error;
      }),
    ),
  );
  const failed = settled.some(({ status }) => status === 'rejected');
  if (failed) throw life.reason;
  return settled.map((each) => (each as PromiseFulfilledResult<T>).value);
}
