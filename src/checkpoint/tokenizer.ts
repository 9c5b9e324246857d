import { join } from 'node:path';
import { Template } from '@huggingface/jinja';
import { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers';
import { CheckpointError } from '../errors.ts';
import { readText } from './files.ts';
import { isObject, readJson } from './json.ts';

/** A tokenizer in the format of Hugging Face: tokenizer.json, tokenizer_config.json, chat_template.jinja. */
export class Tokenizer {
  /** Largest token id + 1, added tokens included. */
  readonly vocabSize: number;
  private readonly file: string;
  private readonly inner: HuggingFaceTokenizer;
  private readonly special: ReadonlySet<number>;
  private readonly chatTemplate: string | undefined;
  /** bos_token, eos_token and their like, which chat templates refer to. */
  private readonly tokenNames: Record<string, string>;

  private constructor(
    file: string,
    json: Record<string, unknown>,
    config: Record<string, unknown>,
    chatTemplate: string | undefined,
  ) {
    this.file = file;
    this.vocabSize = largestId(file, json) + 1;
    try {
      // The clean-up would take spaces out of what the model wrote.
      this.inner = new HuggingFaceTokenizer(json, { ...config, clean_up_tokenization_spaces: false });
    } catch (error) {
      throw new CheckpointError(file, `cannot be used: ${(error as Error).message}`);
    }
    const added = this.inner.get_added_tokens_decoder();
    this.special = new Set([...added].filter(([, token]) => token.special).map(([id]) => id));
    this.chatTemplate = chatTemplate;
    this.tokenNames = {};
    for (const [key, value] of Object.entries(config)) {
      const content = isObject(value) ? value.content : value;
      if (key.endsWith('_token') && typeof content === 'string') this.tokenNames[key] = content;
    }
  }

  /**
   * null where the folder has no tokenizer.
   * @throws CheckpointError also where tokenizer_config.json stands without tokenizer.json
   */
  static async load(dir: string, warn?: (message: string) => void): Promise<Tokenizer | null> {
    const file = join(dir, 'tokenizer.json');
    const configFile = join(dir, 'tokenizer_config.json');
    const [json, config] = await Promise.all([readJson(file, warn), readJson(configFile, warn)]);
    if (config !== undefined && !isObject(config))
      throw new CheckpointError(configFile, 'is not a JSON object');
    if (json === undefined) {
      if (config) throw new CheckpointError(file, 'is missing, though tokenizer_config.json is there');
      return null;
    }
    if (!isObject(json)) throw new CheckpointError(file, 'is not a JSON object');
    const template = await readText(join(dir, 'chat_template.jinja'));
    return new Tokenizer(file, json, config ?? {}, template ?? configTemplate(config?.chat_template));
  }

  /** The id of tokenizer_config.json's eos_token, where it has one that is a token. */
  get eosToken(): number | undefined {
    const { eos_token: name } = this.tokenNames;
    return name === undefined ? undefined : this.inner.token_to_id(name);
  }

  /**
   * Token ids. Special tokens in the text become their ids. `addSpecialTokens` adds what tokenizer.json's
   * post-processor puts around a text (llama: BOS); a chat template has already written it.
   */
  encode(text: string, addSpecialTokens = true): Uint32Array {
    const { ids } = this.inner.encode(text, { add_special_tokens: addSpecialTokens });
    if (ids.includes(undefined as unknown as number))
      throw new CheckpointError(this.file, 'has no unk_token');
    return Uint32Array.from(ids);
  }

  /** Special tokens, and ids that are no token, give nothing. Bytes that are not UTF-8 become U+FFFD. */
  decode(ids: ArrayLike<number>): string {
    const shown = Array.from(ids).filter((id) => this.isShown(id));
    return shown.length === 0 ? '' : this.inner.decode(shown);
  }

  /** One token on its own, for display: special tokens by name, a part of a character as U+FFFD. */
  tokenText(id: number): string {
    if (!this.isShown(id)) return this.inner.id_to_token(id) ?? `[${id}]`;
    // A decoder may strip the first token's space, which the second of two equal tokens still has.
    const once = this.decode([id]);
    const twice = this.decode([id, id]);
    return twice.length > 2 * once.length ? twice.slice(once.length) : once;
  }

  /**
   * Decodes token by token: all that `push` and `end` return together is `decode` of all ids. Characters whose bytes
   * are not all there yet are held back.
   */
  stream(): { push(id: number): string; end(): string } {
    let context: number[] = []; // told already; kept because a decoder may treat the first token differently
    let pending: number[] = [];
    const flush = () => {
      const text = this.decode([...context, ...pending]).slice(this.decode(context).length);
      context = pending.length ? pending : context;
      pending = [];
      return text;
    };
    return {
      push: (id) => {
        if (!this.isShown(id)) return '';
        pending.push(id);
        return this.decode([...context, ...pending]).endsWith('\uFFFD') ? '' : flush();
      },
      end: flush,
    };
  }

  /** The text of a conversation up to the beginning of the assistant's turn. @throws CheckpointError there is no template, or it refuses */
  applyChatTemplate(messages: { role: string; content: string }[]): string {
    if (this.chatTemplate === undefined)
      throw new CheckpointError(this.file, 'has no chat template beside it');
    try {
      return new Template(this.chatTemplate).render({
        ...this.tokenNames,
        messages,
        add_generation_prompt: true,
      });
    } catch (error) {
      throw new CheckpointError(this.file, `its chat template failed: ${(error as Error).message}`);
    }
  }

  private isShown(id: number): boolean {
    return !this.special.has(id) && this.inner.id_to_token(id) !== undefined;
  }
}

function largestId(file: string, json: Record<string, unknown>): number {
  const vocab = isObject(json.model) ? json.model.vocab : undefined;
  const added = json.added_tokens ?? [];
  if (typeof vocab !== 'object' || vocab === null) throw new CheckpointError(file, 'model.vocab is missing');
  if (!Array.isArray(added)) throw new CheckpointError(file, 'added_tokens is not a list');
  let largest = -1;
  const take = (token: unknown, id: unknown) => {
    if (!Number.isInteger(id) || (id as number) < 0 || (id as number) >= 2 ** 31)
      throw new CheckpointError(file, `token ${JSON.stringify(token)} has the id ${JSON.stringify(id)}`);
    largest = Math.max(largest, id as number);
  };
  if (Array.isArray(vocab)) largest = vocab.length - 1;
  else for (const [token, id] of Object.entries(vocab)) take(token, id);
  for (const token of added) {
    if (typeof token?.content !== 'string' || token.content === '')
      throw new CheckpointError(file, `an added token is ${JSON.stringify(token)}: it needs content and id`);
    take(token.content, token.id);
  }
  return largest;
}

/** The template of tokenizer_config.json: a string, or the one of a list that is named "default". */
function configTemplate(value: unknown): string | undefined {
  const named = Array.isArray(value) ? value.find((entry) => entry?.name === 'default')?.template : value;
  return typeof named === 'string' ? named : undefined;
}
