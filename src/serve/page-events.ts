import type { Answer } from '../api/generate.ts';
import { streamIn } from '../api/stream.ts';
import { tracePage } from '../report/trace-page.ts';
import type { WatchEvent } from '../report/watch-data.ts';
import type { Answering } from './app.ts';
import { seated } from './choice.ts';
import type { Server } from './context.ts';
import { DRAWING, fields, flag, optional, read, text, whole } from './fields.ts';
import type { Life } from './life.ts';
import { checkRoom, roomBehind, tokensOf } from './prompts.ts';
import type { Send } from './sse.ts';
import { wantsOf } from './wants.ts';
import { watchEvents } from './watch-events.ts';

const REQUEST = fields({
  ...DRAWING,
  prompt: text,
  chat: optional(flag),
  max_tokens: optional(whole(1, 2 ** 31 - 1)),
});

/**
 * `POST /egps/events`: how an answer comes about, for the server's own page. The request has the fields of `/v1/completions` that say how
 * it is drawn, and `chat` for the prompt as a user's message:
 *
 *     { prompt, chat?, max_tokens?, temperature?, top_p?, seed?, stop?, egps?: { sampler?, alpha?, finalSteps?, extract?, … } }
 *
 * It is answered by server-sent events: a `WatchEvent` each, or as the last one `{ error: { message, type, param, code } }`. A chain's
 * `trace` is the path of a page that shows how the answer came about; the last few are kept.
 */
export async function pageEvents(server: Server, json: unknown, life: Life): Promise<Answering> {
  const request = read(REQUEST, json);
  const { model, forest, desk } = server;
  const { prompt, chat } = request;
  const tokens = tokensOf(server, chat ? [{ role: 'user', content: prompt }] : prompt, 'prompt');
  const asked = request.max_tokens ?? undefined;
  const { options, resolved } = wantsOf(
    server,
    request,
    asked,
    Math.max(1, roomBehind(server, tokens.length)),
  );
  checkRoom(server, tokens.length, resolved.maxNewTokens, 'prompt');
  life.prompt = prompt;
  life.usage.prompt = tokens.length;
  desk.book(1);
  const tell = (send: Send, event: WatchEvent) => send(JSON.stringify(event));
  const textOf = (id: number) => (model.eosTokens.has(id) ? '' : model.tokenizer.tokenText(id));
  const traceOf = (answer: Answer, wallSeconds: number) => {
    life.usage.completion = answer.picked.tokens.length;
    const trace = `/egps/traces/${crypto.randomUUID()}`;
    server.traces.keep(trace, () =>
      tracePage({
        prompt: model.tokenizer.decode(tokens),
        sample: answer,
        answers: answer.answers,
        options: resolved,
        tokenText: (id) => model.tokenizer.tokenText(id),
        adapter: server.adapter,
        wallSeconds,
      }),
    );
    return trace;
  };
  return {
    events: (send) =>
      seated(server, life, async (signal) => {
        await tell(send, { type: 'start', seed: String(resolved.seed), promptTokens: tokens.length });
        const events = streamIn(forest, model, tokens, { ...options, signal });
        for await (const event of watchEvents(events, textOf, traceOf)) await tell(send, event);
      }),
  };
}
