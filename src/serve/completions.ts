import * as v from 'valibot';
import type { StateEvent } from '../api/stream.ts';
import { headOf, notesOf, originOf, progressOf, usageOf } from './answers.ts';
import type { Answering } from './app.ts';
import { drawChoice, type Outcome, recordsOf, seated, type TokenRecord } from './choice.ts';
import type { Server } from './context.ts';
import { COMMON, flag, neutral, objectSays, optional, read, says, whole } from './fields.ts';
import type { Life } from './life.ts';
import { legacyLogprobs } from './logprobs.ts';
import { checkRoom, tokensOf } from './prompts.ts';
import { unknownModel, wrongField } from './refusal.ts';
import { wantsOf } from './wants.ts';

const id = whole(0, 0xffffffff, 'a token id');
const PROMPT = says('a text, token ids, or a list of either');
const REQUEST = v.strictObject(
  {
    ...COMMON,
    prompt: v.union([v.string(), v.array(v.string()), v.array(id), v.array(v.array(id))], PROMPT),
    max_tokens: optional(whole(0, 2 ** 31 - 1)),
    logprobs: optional(whole(0, 5)),
    echo: optional(flag),
    suffix: neutral(''),
    best_of: optional(whole(1, 128)),
  },
  objectSays,
);

/** Where nobody says how long an answer is, as at OpenAI. */
const MAX_TOKENS = 16;

/** `/v1/completions`. */
export async function completions(server: Server, json: unknown, life: Life): Promise<Answering> {
  const request = read(REQUEST, json);
  const { model, prompt, echo, stream } = request;
  const n = request.n ?? 1;
  const top = request.logprobs ?? undefined;
  if (model !== server.name) throw unknownModel(model, server.name);
  if ((request.best_of ?? n) !== n)
    throw wrongField('best_of', `best_of is ${request.best_of}: only n, which is ${n}, is supported`);
  const maxTokens = request.max_tokens ?? MAX_TOKENS;
  const wants = wantsOf(server, request, maxTokens || 1);
  const listed = typeof prompt === 'string' || typeof prompt[0] === 'number' ? [prompt] : prompt;
  const prompts = (listed as (string | number[])[]).map((each) => tokensOf(server, each, 'prompt'));
  const { length } = prompts;
  if (length === 0) throw wrongField('prompt', 'prompt is an empty list');
  const { desk } = server;
  if (length * n > desk.places + desk.room)
    throw wrongField(
      'prompt',
      `${length} prompts with n ${n} each: at most ${desk.places + desk.room} answers`,
    );
  for (const each of prompts) checkRoom(server, each.length, maxTokens, 'prompt');
  life.prompt = prompt;
  life.usage.prompt = prompts.reduce((sum, each) => sum + each.length, 0);

  const { tokenizer } = server.model;
  const head = headOf(server, 'cmpl', 'text_completion');
  const scores = prompts.map((tokens) =>
    echo && top !== undefined
      ? once(() => recordsOf(server, [...tokens], 0, top, wants.resolved.alpha, life))
      : undefined,
  );
  throw new Error('unfinished');
}
