import { Template } from '@huggingface/jinja';
import { CheckpointError } from '../../errors.ts';
import { isObject } from '../json.ts';
import { TimeLimitError, withinLimit } from './limit.ts';
import { describe } from './part.ts';

export interface Message {
  readonly role: string;
  readonly content: string;
}

/** The text of a conversation up to the beginning of the assistant's turn, as transformers renders it. @throws CheckpointError */
export function renderChat(
  file: string,
  template: string,
  messages: readonly Message[],
  tokenNames: Record<string, string>,
): string {
  const length = messages.reduce((n, { content }) => n + content.length, template.length);
  try {
    return withinLimit(length, () => {
      const parsed = new Template(template.replace(/\r\n?/g, '\n'));
      boundRanges(parsed.parsed);
      return parsed.render({
        tools: null,
        documents: null,
        ...tokenNames,
        [RANGE]: range,
        messages,
        add_generation_prompt: true,
      });
    });
  } catch (error) {
    const what = error instanceof TimeLimitError ? 'chat template' : 'chat template failed:';
    throw new CheckpointError(file, `its ${what} ${(error as Error).message}`);
  }
}

/** Jinja's sandbox allows no longer ones; the library fills the memory with any. */
const MAX_RANGE = 100_000;
const RANGE = 'bounded range'; // no name that a template could give

/** Has every call of range in this syntax tree call ours: globals cannot be replaced. */
function boundRanges(node: unknown): void {
  if (typeof node !== 'object' || node === null) return;
  const { type, callee } = node as { type?: string; callee?: { type: string; value: string } };
  if (type === 'CallExpression' && callee?.type === 'Identifier' && callee.value === 'range')
    callee.value = RANGE;
  for (const child of Object.values(node)) boundRanges(child);
}

function range(start: number, stop?: number, step = 1): number[] {
  const [from, to] = stop === undefined ? [0, start] : [start, stop];
  const length = Math.max(0, Math.ceil((to - from) / step));
  if (!Number.isInteger(length)) throw new Error(`range(${from}, ${to}, ${step}) has no length`);
  if (length > MAX_RANGE)
    throw new Error(`range(${from}, ${to}, ${step}) has more than ${MAX_RANGE} numbers`);
  return Array.from({ length }, (_, i) => from + i * step);
}

/** The template of tokenizer_config.json: a string, or the one of a list that is named "default". @throws CheckpointError */
export function configTemplate(file: string, value: unknown): string | undefined {
  if (Array.isArray(value)) {
    const named = value.find((entry) => isObject(entry) && entry.name === 'default');
    return named && configTemplate(file, named.template);
  }
  if (value === undefined || value === null || typeof value === 'string') return value ?? undefined;
  throw new CheckpointError(file, `chat_template is ${describe(value)}: a string belongs there`);
}

const NAMES = ['bos_token', 'eos_token', 'unk_token', 'sep_token', 'pad_token', 'cls_token', 'mask_token'];

/** bos_token, eos_token and their like, which chat templates refer to. @throws CheckpointError */
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
