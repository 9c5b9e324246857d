import { type StreamEvent, streamIn } from '../api/stream.ts';
import { tracePage } from '../report/trace-page.ts';
import type { Answering } from './app.ts';
import { seated } from './choice.ts';
import type { Server } from './context.ts';
import { DRAWING, fields, optional, read, text, whole } from './fields.ts';
import type { Life } from './life.ts';
import { checkRoom, roomBehind, tokensOf } from './prompts.ts';
import { wantsOf } from './wants.ts';

const REQUEST = fields({
  ...DRAWING,
  prompt: text,
  max_tokens: optional(whole(1, 2 ** 31 - 1)),
  top_logprobs: optional(whole(0, 20)),
});

/**
 * `POST /egps/events`: the events of `stream`, for the server's own page. The request has the fields of `/v1/completions` that say how an
 * answer is drawn, and `top_logprobs`:
 *
 *     { prompt, max_tokens?, temperature?, top_p?, seed?, stop?, top_logprobs?, egps?: { sampler?, alpha?, steps?, extract?, … } }
 *
 * Without `egps` tokens come, by greedy or sample; with it states. It is answered by server-sent events, a JSON object each, of which
 * typed arrays have become arrays:
 *
 *     { type: 'begin', seed, options, prompt: { tokens } }                      as soon as the request has its turn
 *     { type: 'token', token, text, logProbability, entropy, alternatives }     see TokenEvent
 *     { type: 'state', step, steps, block, blocks, tokens, text, logProbability, account, answers? }    see StateEvent
 *     { type: 'end', answer: { text, tokens, pieces, logp, entropy, block, finish, logProbability, picked, answers, gate, account }, trace }
 *     { error: { message, type, param, code } }                                 the last one, where it fails
 *
 * `pieces` are the texts of the tokens, `trace` is the path of a page that shows how the answer came about; the last few are kept.
 */
export async function pageEvents(server: Server, json: unknown, life: Life): Promise<Answering> {
  const request = read(REQUEST, json);
  const { model, forest, desk } = server;
  const tokens = tokensOf(server, request.prompt, 'prompt');
  const asked = request.max_tokens ?? undefined;
  const { options, resolved, isPlain } = wantsOf(
    server,
    request,
    asked,
    Math.max(1, roomBehind(server, tokens.length)),
  );
  checkRoom(server, tokens.length, resolved.maxNewTokens, 'prompt');
  const topLogprobs = isPlain ? (request.top_logprobs ?? undefined) : undefined;
  life.prompt = request.prompt;
  life.usage.prompt = tokens.length;
  desk.book(1);
  return {
    events: (send) =>
      seated(server, life, async (signal) => {
        const began = performance.now();
        const { seed, ...rest } = resolved;
        const tell = (event: object) => send(JSON.stringify(event, plain));
        await tell({ type: 'begin', seed: String(seed), options: rest, prompt: { tokens } });
        for await (const event of streamIn(forest, model, tokens, { ...options, topLogprobs, signal })) {
          if (event.type !== 'end') {
            await tell(event);
            continue;
          }
          life.usage.completion = event.answer.picked.tokens.length;
          const wallSeconds = (performance.now() - began) / 1000;
          const trace = `/egps/traces/${crypto.randomUUID()}`;
          server.traces.keep(trace, () =>
            tracePage({
              prompt: model.tokenizer.decode(tokens),
              sample: event.answer,
              answers: event.answer.answers,
              options: resolved,
              tokenText: (id) => model.tokenizer.tokenText(id),
              adapter: server.adapter,
              wallSeconds,
            }),
          );
          await tell({ type: 'end', answer: answerOf(server, event), trace });
        }
      }),
  };
}

/** Typed arrays as arrays. */
const plain = (_: string, value: unknown): unknown =>
  ArrayBuffer.isView(value) ? Array.from(value as Uint32Array) : value;

function answerOf({ model }: Server, { answer }: Extract<StreamEvent, { type: 'end' }>): object {
  const { text, tokens, logp, entropy, block, finish, logProbability, picked, answers, gate, account } =
    answer;
  const pieces = Array.from(tokens, (token) => model.tokenizer.tokenText(token));
  return {
    text,
    tokens,
    pieces,
    logp,
    entropy,
    block,
    finish,
    logProbability,
    picked,
    answers,
    gate,
    account,
  };
}
