import { OptionError } from '../base/errors.ts';
import { describe } from '../base/show.ts';
import { isObject } from '../checkpoint/json.ts';
import type { Message } from '../checkpoint/tokenizer/chat-template.ts';
import type { Tokenizer } from '../checkpoint/tokenizer.ts';

/** What a model is asked: a text, token ids, or a conversation, which the model's chat template makes a text of. */
export type Prompt = string | ArrayLike<number> | readonly Message[];

const ROLES = ['system', 'user', 'assistant'];

/**
 * The token ids of a prompt.
 * @param chat whether a text is a message of the user's
 * @throws OptionError for text where there is no tokenizer, an empty prompt, and what is no message
 * @internal
 */
export function encodePrompt(
  tokenizer: Tokenizer | null | undefined,
  prompt: Prompt,
  chat = false,
): Uint32Array {
  if (!Number.isInteger(prompt?.length)) {
    throw new OptionError(`the prompt is ${describe(prompt)}: a text, token ids or messages`);
  }
  if (prompt.length === 0) throw new OptionError('the prompt is empty: at least one token is needed');
  if (isConversation(prompt)) {
    checkMessages(prompt);
    return encodeChat(tokenizer, prompt);
  }
  if (typeof prompt !== 'string') {
    if (chat) throw new OptionError('chat needs a prompt of text, not of token ids');
    const ids = Array.from(prompt);
    const bad = ids.findIndex((id) => !Number.isInteger(id) || id < 0 || id > 0xffffffff);
    if (bad >= 0) throw new OptionError(`the prompt has ${ids[bad]} in it, which is no token id`);
    return Uint32Array.from(ids);
  }
  if (chat) return encodeChat(tokenizer, [{ role: 'user', content: prompt }]);
  return textual(tokenizer).encode(prompt);
}

function isConversation(prompt: Prompt): prompt is readonly Message[] {
  return Array.isArray(prompt) && prompt.some(isObject);
}

function encodeChat(tokenizer: Tokenizer | null | undefined, messages: readonly Message[]): Uint32Array {
  const speaking = textual(tokenizer);
  return speaking.encode(speaking.applyChatTemplate(messages), false);
}

function textual(tokenizer: Tokenizer | null | undefined): Tokenizer {
  if (!tokenizer) throw new OptionError('the model has no tokenizer: give the prompt as token ids');
  return tokenizer;
}

/** @throws OptionError for what no template here is given: other roles, other contents, tools */
function checkMessages(messages: readonly unknown[]): asserts messages is readonly Message[] {
  for (const [i, message] of messages.entries()) {
    const where = `messages[${i}]`;
    if (!isObject(message)) throw new OptionError(`${where} is ${describe(message)}: {role, content}`);
    const { role, content, ...others } = message;
    if (!ROLES.includes(role as string)) {
      throw new OptionError(`${where}.role is ${describe(role)}: one of ${ROLES.join(', ')}`);
    }
    if (typeof content !== 'string') {
      throw new OptionError(`${where}.content is ${describe(content)}: a string`);
    }
    for (const [key, value] of Object.entries(others)) {
      if (value === undefined || value === null) continue;
      throw new OptionError(`${where}.${key} is ${describe(value)}: a message has role and content alone`);
    }
  }
}
