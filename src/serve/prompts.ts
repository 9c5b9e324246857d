import { encodePrompt, type Prompt } from '../api/prompt.ts';
import { OptionError } from '../base/errors.ts';
import type { Message } from '../checkpoint/tokenizer/chat-template.ts';
import { checkPrompt } from '../sampling/sample.ts';
import type { Server } from './context.ts';
import { Refusal, wrongField } from './refusal.ts';

/** Characters that a token stands for, at most on average: a longer prompt is refused before it is made tokens, which takes its time. */
const MOST_CHARACTERS = 16;

const tooLong = (param: string, message: string) => wrongField(param, message, 'context_length_exceeded');

/** The tokens of a prompt, which leave room for an answer. @throws Refusal naming `param` */
export function tokensOf({ model }: Server, prompt: Prompt, param: string): Uint32Array {
  const characters = typeof prompt === 'string' ? prompt.length : isChat(prompt) ? lengthOf(prompt) : 0;
  const most = MOST_CHARACTERS * model.contextLength;
  if (characters > most)
    throw tooLong(param, `${param} has ${characters} characters: at most ${most} are read`);
  if (typeof prompt !== 'string' && prompt.length > model.contextLength)
    throw tooLong(
      param,
      `${param} has ${prompt.length} tokens: the model's context holds ${model.contextLength}`,
    );
  try {
    const tokens = encodePrompt(model.tokenizer, prompt);
    checkPrompt(model, tokens, 0);
    return tokens;
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    const long = /context holds/.test(error.message);
    throw new Refusal(400, long ? 'context_length_exceeded' : 'option', error.message, { param });
  }
}

const isChat = (prompt: ArrayLike<number> | readonly Message[]): prompt is readonly Message[] =>
  typeof prompt[0] === 'object';

const lengthOf = (messages: readonly Message[]): number =>
  messages.reduce((sum, { content }) => sum + content.length, 0);

/** Most tokens of an answer to a prompt of so many. */
export function roomBehind({ model, settings }: Server, promptLength: number): number {
  const positions = Math.min(model.contextLength, model.cachePositions - 2 * model.pageSize);
  return Math.min(settings.maxTokens, positions - promptLength);
}

/** @throws Refusal */
export function checkRoom(server: Server, promptLength: number, maxTokens: number, param: string): void {
  const { settings } = server;
  if (maxTokens > settings.maxTokens)
    throw wrongField(
      'max_tokens',
      `max_tokens is ${maxTokens}: this server writes at most ${settings.maxTokens}`,
    );
  const room = Math.max(0, roomBehind(server, promptLength));
  if (maxTokens <= room) return;
  const sum = `${promptLength} tokens of prompt leave room for ${room} of answer`;
  throw tooLong(param, `${sum}: ${maxTokens} are asked for`);
}

/** @throws Refusal for more answers than ever find room in the queue */
export function checkCount({ desk }: Server, answers: number, param: string): void {
  const most = desk.places + desk.room;
  if (answers > most)
    throw wrongField(param, `${param} asks for ${answers} answers: at most ${most} find room here`);
}
