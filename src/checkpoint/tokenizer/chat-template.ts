import { CheckpointError } from '../../base/errors.ts';
import { describe } from '../../base/show.ts';
import { isObject } from '../json.ts';
import type { render as Render } from './jinja.ts';
import { TimeLimitError, withinLimit } from './limit.ts';

/** A message of a conversation. */
export interface Message {
  /** system, user or assistant. */
  readonly role: string;
  /** Its text. */
  readonly content: string;
}

/** With what renders it. @internal */
export interface ChatTemplate {
  readonly template: string;
  readonly render: typeof Render;
}

/** The text of a conversation up to the beginning of the assistant's turn, as transformers renders it. @throws CheckpointError @internal */
export function renderChat(
  file: string,
  { template, render }: ChatTemplate,
  messages: readonly Message[],
  tokenNames: Record<string, string>,
): string {
  const length = messages.reduce((n, { content }) => n + content.length, template.length);
  try {
    return withinLimit(length, () =>
      render(template, {
        tools: null,
        documents: null,
        ...tokenNames,
        messages,
        add_generation_prompt: true,
      }),
    );
  } catch (error) {
    const what = error instanceof TimeLimitError ? 'chat template' : 'chat template failed:';
    throw new CheckpointError(file, `its ${what} ${(error as Error).message}`, { cause: error });
  }
}

/** The template of tokenizer_config.json: a string, or the one of a list that is named "default". @throws CheckpointError @internal */
export function configTemplate(file: string, value: unknown): string | undefined {
  if (Array.isArray(value)) {
    const named = value.find((entry) => isObject(entry) && entry.name === 'default');
    return named && configTemplate(file, named.template);
  }
  if (value === undefined || value === null || typeof value === 'string') return value ?? undefined;
  throw new CheckpointError(file, `chat_template is ${describe(value)}: a string belongs there`);
}

const NAMES = ['bos_token', 'eos_token', 'unk_token', 'sep_token', 'pad_token', 'cls_token', 'mask_token'];

/** bos_token, eos_token and their like, which chat templates refer to. @throws CheckpointError @internal */
export function readTokenNames(file: string, json: Record<string, unknown>): Record<string, string> {
  const names: Record<string, string> = {};
  for (const [key, value] of Object.entries(json)) {
    if (!key.endsWith('_token')) continue;
    const content = isObject(value) ? value.content : value;
    if (typeof content === 'string') names[key] = content;
    else if (NAMES.includes(key) && value !== null)
      throw new CheckpointError(file, `${key} is ${describe(value)}: a string belongs there`);
  }
  return names;
}
