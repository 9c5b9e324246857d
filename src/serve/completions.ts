import * as v from 'valibot';
import type { Answering } from './app.ts';
import { drawChoice, type Outcome, recordsOf, type TokenRecord } from './choice.ts';
import type { Server } from './context.ts';
import { COMMON, fields, flag, neutral, optional, read, says, whole } from './fields.ts';
import type { Life } from './life.ts';
import { logprobsOf } from './logprobs.ts';
import { checkCount, checkRoom, tokensOf } from './prompts.ts';
import { unknownModel, wrongField } from './refusal.ts';
import { type Draw, reply, type Shape } from './reply.ts';
import { type Wants, wantsOf } from './wants.ts';

const id = whole(0, 0xffffffff, 'a token id');
const PROMPT = says('a text, token ids, or a list of either');
const REQUEST = fields({
  ...COMMON,
  prompt: v.union([v.string(), v.array(v.string()), v.array(id), v.array(v.array(id))], PROMPT),
  max_tokens: optional(whole(0, 2 ** 31 - 1)),
  logprobs: optional(whole(0, 5)),
  echo: optional(flag),
  suffix: neutral(''),
  best_of: optional(whole(1, 128)),
});

/** Where nobody says how long an answer is, as at OpenAI. */
const MAX_TOKENS = 16;

/** `/v1/completions`. */
export async function completions(server: Server, json: unknown, life: Life): Promise<Answering> {
  const request = read(REQUEST, json);
  const { model, prompt, echo } = request;
  const n = request.n ?? 1;
  const top = request.logprobs ?? undefined;
  if (model !== server.name) throw unknownModel(model, server.name);
  if ((request.best_of ?? n) !== n)
    throw wrongField('best_of', `best_of is ${request.best_of}: only n, which is ${n}, is supported`);
  const maxTokens = request.max_tokens ?? MAX_TOKENS;
  const wants = wantsOf(server, request, maxTokens || 1);
  const isOne = typeof prompt === 'string' || typeof prompt[0] === 'number';
  const listed = (isOne ? [prompt] : prompt) as (string | number[])[];
  const prompts = listed.map((each) => tokensOf(server, each, 'prompt'));
  const { length } = prompts;
  if (length === 0) throw wrongField('prompt', 'prompt is an empty list');
  checkCount(server, length * n, length > 1 ? 'prompt' : 'n');
  for (const each of prompts) checkRoom(server, each.length, maxTokens, 'prompt');
  life.prompt = prompt;
  life.usage.prompt = prompts.reduce((sum, each) => sum + each.length, 0);

  const { tokenizer } = server.model;
  const texts = listed.map((each) => (typeof each === 'string' ? each : tokenizer.decode(each)));
  const shape: Shape = {
    id: 'cmpl',
    answer: 'text_completion',
    piece: 'text_completion',
    whole: (i, outcome) => ({ ...written(i, outcome.text, outcome.records), finish_reason: outcome.finish }),
    text: (i, text, records) => ({ ...written(i, text, records), finish_reason: null }),
    last: (i, { finish }) => ({ text: '', index: i, logprobs: null, finish_reason: finish }),
  };
  const draws = prompts.flatMap((tokens, p) => {
    const scored = top !== undefined && echo ? promptRecords(server, tokens, top, wants) : undefined;
    return Array.from(
      { length: n },
      (_, j): Draw =>
        async (signal, listener) => {
          const before = await scored?.(signal);
          if (echo) await listener?.text?.(texts[p], before ?? []);
          const base = texts[p].length;
          const moved = (records: readonly TokenRecord[]) =>
            records.map((record) => ({ ...record, offset: base + record.offset }));
          const drawn: Outcome =
            maxTokens === 0
              ? { text: '', finish: 'length', records: [], answer: null, chain: wants.resolved.chain + j }
              : await drawChoice(
                  server,
                  tokens,
                  wants,
                  j,
                  top,
                  signal,
                  listener && {
                    ...listener,
                    text: (text, records) => listener.text?.(text, moved(records)),
                  },
                );
          const records = [...(before ?? []), ...moved(drawn.records)];
          return { ...drawn, text: (echo ? texts[p] : '') + drawn.text, records };
        },
    );
  });
  return reply(server, life, shape, draws, wants, request);

  function written(index: number, text: string, records: readonly TokenRecord[]) {
    return { text, index, logprobs: top === undefined ? null : logprobsOf(tokenizer, records) };
  }
}

/** The records of a prompt, which all its choices share: computed where the first of them has its place. */
function promptRecords(
  server: Server,
  tokens: Uint32Array,
  top: number,
  { resolved }: Wants,
): (signal: AbortSignal) => Promise<TokenRecord[]> {
  let records: Promise<TokenRecord[]> | undefined;
  return (signal) => {
    records ??= recordsOf(server, Array.from(tokens), 0, top, resolved.alpha, signal);
    return records;
  };
}
