import * as v from 'valibot';
import type { Message } from '../checkpoint/tokenizer/chat-template.ts';
import type { Answering } from './app.ts';
import { drawChoice, type TokenRecord } from './choice.ts';
import type { Server } from './context.ts';
import { COMMON, flag, ignored, neutral, objectSays, optional, read, says, text, whole } from './fields.ts';
import type { Life } from './life.ts';
import { chatLogprobsOf } from './logprobs.ts';
import { checkRoom, roomBehind, tokensOf } from './prompts.ts';
import { unknownModel, wrongField } from './refusal.ts';
import { type Draw, reply, type Shape } from './reply.ts';
import { wantsOf } from './wants.ts';

const ROLES = ['system', 'developer', 'user', 'assistant'] as const;
const PART = v.strictObject({ type: v.literal('text', says('only text is read')), text }, objectSays);
const MESSAGE = v.strictObject(
  {
    role: v.picklist(ROLES, says(`one of ${ROLES.join(', ')}`)),
    content: v.union([text, v.array(PART)], says('a text, or a list of parts of text')),
    // What an assistant's message has in an answer and says nothing.
    refusal: neutral(),
    annotations: neutral('[]'),
    audio: neutral(),
    function_call: neutral(),
    tool_calls: neutral('[]'),
    name: neutral(),
  },
  objectSays,
);
const REQUEST = v.strictObject(
  {
    ...COMMON,
    messages: v.pipe(
      v.array(MESSAGE, says('a list of messages')),
      v.minLength(1, says('at least one message')),
    ),
    max_tokens: optional(whole(1, 2 ** 31 - 1)),
    max_completion_tokens: optional(whole(1, 2 ** 31 - 1)),
    logprobs: optional(flag),
    top_logprobs: optional(whole(0, 20)),
    response_format: optional(
      v.strictObject({ type: v.literal('text', says('only text is written')) }, objectSays),
    ),
    tools: neutral('[]'),
    tool_choice: neutral('none', 'auto'),
    functions: neutral('[]'),
    function_call: neutral('none', 'auto'),
    modalities: optional(v.array(v.literal('text', says('only text is written')), says('["text"]'))),
    audio: neutral(),
    prediction: neutral(),
    web_search_options: neutral(),
    reasoning_effort: neutral('none'),
    verbosity: neutral('medium'),
    store: neutral(false),
    service_tier: neutral('auto', 'default'),
    // What OpenAI keeps of a request, or does with tools.
    metadata: ignored,
    parallel_tool_calls: ignored,
    prompt_cache_key: ignored,
    safety_identifier: ignored,
  },
  objectSays,
);

/** `/v1/chat/completions`. */
export async function chat(server: Server, json: unknown, life: Life): Promise<Answering> {
  const request = read(REQUEST, json);
  const { model, messages, logprobs } = request;
  if (model !== server.name) throw unknownModel(model, server.name);
  if (request.top_logprobs && !logprobs)
    throw wrongField('top_logprobs', `top_logprobs is ${request.top_logprobs}: it needs logprobs`);
  const top = logprobs ? (request.top_logprobs ?? 0) : undefined;
  const asked = request.max_completion_tokens ?? request.max_tokens ?? undefined;
  const tokens = tokensOf(server, messages.map(plainMessage), 'messages');
  const wants = wantsOf(server, request, asked, Math.max(1, roomBehind(server, tokens.length)));
  checkRoom(server, tokens.length, wants.resolved.maxNewTokens, 'messages');
  life.prompt = messages;
  life.usage.prompt = tokens.length;

  const { tokenizer } = server.model;
  const written = (records: readonly TokenRecord[]) =>
    top === undefined ? null : chatLogprobsOf(tokenizer, records, top);
  const delta = (index: number, delta: object, records: readonly TokenRecord[] = []) => ({
    index,
    delta,
    logprobs: records.length > 0 ? written(records) : null,
    finish_reason: null as string | null,
  });
  const shape: Shape = {
    id: 'chatcmpl',
    answer: 'chat.completion',
    piece: 'chat.completion.chunk',
    whole: (index, { text, records, finish }) => ({
      index,
      message: { role: 'assistant', content: text, refusal: null },
      logprobs: written(records),
      finish_reason: finish,
    }),
    first: (index) => delta(index, { role: 'assistant', content: '', refusal: null }),
    text: (index, text, records) => delta(index, text === '' ? {} : { content: text }, records),
    last: (index, { finish }) => ({ ...delta(index, {}), finish_reason: finish }),
  };
  const draws = Array.from(
    { length: request.n ?? 1 },
    (_, i): Draw =>
      (signal, listener) =>
        drawChoice(server, tokens, wants, i, top, signal, listener),
  );
  return reply(server, life, shape, draws, wants, request);
}

/** As chat templates know messages: one text, and `developer` by its old name. */
function plainMessage({ role, content }: v.InferOutput<typeof MESSAGE>): Message {
  return {
    role: role === 'developer' ? 'system' : role,
    content: typeof content === 'string' ? content : content.map(({ text }) => text).join(''),
  };
}
