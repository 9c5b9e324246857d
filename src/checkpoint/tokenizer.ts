import { filesIn } from '#runtime/checkpoint/files';
import { ready } from '#runtime/checkpoint/tokenizer/library';
import { renderer } from '#runtime/checkpoint/tokenizer/renderer';
import { CheckpointError } from '../base/errors.ts';
import { isObject, readJson } from './json.ts';
import { type ModelFiles, readText } from './source.ts';
import { readAddedTokens, type Section, sectioner } from './tokenizer/added-tokens.ts';
import {
  type ChatTemplate,
  configTemplate,
  type Message,
  readTokenNames,
  renderChat,
} from './tokenizer/chat-template.ts';
import { byteOf, type Decoder, isByteToken, levelBytes, readDecoder } from './tokenizer/decoders.ts';
import { TimeLimitError, withinLimit } from './tokenizer/limit.ts';
import { type Normalizer, readNormalizer } from './tokenizer/normalizers.ts';
import { Part } from './tokenizer/part.ts';
import { hasRegex, reasonOf } from './tokenizer/pattern.ts';
import { type PostProcessor, readPostProcessor } from './tokenizer/post-processor.ts';
import { type PreTokenizer, readPreTokenizer } from './tokenizer/pre-tokenizers.ts';
import { readVocabulary, type Vocabulary } from './tokenizer/vocabulary.ts';

/**
 * A tokenizer in the format of Hugging Face: tokenizer.json, tokenizer_config.json, special_tokens_map.json,
 * chat_template.jinja. Ids and text are those of the Python library `tokenizers`, or the component that would make them
 * others is refused by name at loading.
 */
export class Tokenizer {
  /** Largest token id + 1, added tokens included. */
  readonly vocabSize: number;
  private readonly file: string;
  private readonly vocabulary: Vocabulary;
  /** By id; an added token that is looked for in normalized text reads as it does there. */
  private readonly names: Map<number, string>;
  /** Of tokens on their own, as far as they were asked for. */
  private readonly texts = new Map<number, string>();
  /** Of tokens with none before them. */
  private readonly firsts = new Map<number, string>();
  private readonly special: ReadonlySet<number>;
  private readonly sections: (text: string) => Section[];
  private readonly preTokenize: PreTokenizer;
  private readonly postProcess: PostProcessor;
  private readonly decoder: Decoder | undefined;
  /** Whether bytes have tokens of their own, whose text is not known before the last of them. */
  private readonly holdsBytes: boolean;
  /** Whether the characters of a token stand for bytes. */
  private readonly levelsBytes: boolean;
  /** Whether regular expressions of the file take part, which might not end. */
  private readonly watched: { readonly encode: boolean; readonly decode: boolean };
  private readonly chatTemplate: ChatTemplate | undefined;
  private readonly tokenNames: Record<string, string>;

  private constructor(
    file: string,
    json: unknown,
    chatTemplate: ChatTemplate | undefined,
    tokenNames: Record<string, string>,
  ) {
    this.file = file;
    this.chatTemplate = chatTemplate;
    this.tokenNames = tokenNames;
    const part = new Part(file, '', json);
    const added = readAddedTokens(part);
    this.vocabulary = readVocabulary(part, added);
    this.vocabSize = [...this.vocabulary.tokens.keys()].reduce((most, id) => Math.max(most, id + 1), 0);
    this.special = new Set(added.filter((token) => token.special).map((token) => token.id));

    const [normalizer, preTokenizer, postProcessor, decoder] = [
      'normalizer',
      'pre_tokenizer',
      'post_processor',
      'decoder',
    ].map((key) => part.optional(key));
    const normalize: Normalizer = normalizer ? readNormalizer(normalizer) : (text) => text;
    try {
      this.sections = sectioner(added, normalize);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      throw new CheckpointError(file, `the added tokens cannot be looked for: ${reasonOf(error)}`, {
        cause: error,
      });
    }
    this.names = new Map(this.vocabulary.tokens);
    for (const token of added) if (token.normalized) this.names.set(token.id, normalize(token.content));
    this.preTokenize = preTokenizer ? readPreTokenizer(preTokenizer) : (text) => [text];
    this.postProcess = postProcessor
      ? readPostProcessor(postProcessor, (id) => this.vocabulary.tokens.has(id))
      : (ids) => ids;
    this.decoder = decoder && readDecoder(decoder);
    this.holdsBytes = this.decoder?.(['<0xC3>', '<0xA9>']).join('') === 'é';
    this.levelsBytes = this.decoder?.(['Ã', '©']).join('') === 'é';
    this.watched = {
      encode: hasRegex(part.value('normalizer')) || hasRegex(part.value('pre_tokenizer')),
      decode: hasRegex(part.value('decoder')),
    };
  }

  /**
   * null where the folder has no tokenizer. `warn` is told what is odd but can be used.
   * @throws CheckpointError also where tokenizer_config.json stands without tokenizer.json
   */
  static load(dir: string, warn?: (message: string) => void): Promise<Tokenizer | null> {
    return Tokenizer.from(filesIn(dir), warn);
  }

  /** @internal */
  static async from(files: ModelFiles, warn?: (message: string) => void): Promise<Tokenizer | null> {
    const names = ['tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json'];
    const [file, configFile, mapFile] = names.map((name) => files.path(name));
    const [json, config, map] = await Promise.all(names.map((name) => readJson(files, name, warn)));
    for (const [path, value] of [
      [configFile, config],
      [file, json],
      [mapFile, map],
    ] as const)
      if (value !== undefined && !isObject(value)) throw new CheckpointError(path, 'is not a JSON object');
    if (json === undefined) {
      if (config) throw new CheckpointError(file, 'is missing, though tokenizer_config.json is there');
      return null;
    }
    const settings = (config ?? {}) as Record<string, unknown>;
    const tokenNames = readTokenNames(configFile, settings);
    // As in transformers: a configuration that lists the added tokens names the special ones as well.
    if (map && settings.added_tokens_decoder === undefined)
      Object.assign(tokenNames, readTokenNames(mapFile, map as Record<string, unknown>));
    const template =
      (await readText(files, 'chat_template.jinja')) ?? configTemplate(configFile, settings.chat_template);
    await ready();
    const chat = template === undefined ? undefined : { template, render: await renderer() };
    const tokenizer = new Tokenizer(file, json, chat, tokenNames);
    tokenizer.warnOfHoles(warn);
    return tokenizer;
  }

  /** The id of tokenizer_config.json's eos_token, where it has one that is a token. */
  get eosToken(): number | undefined {
    return this.vocabulary.ids.get(this.tokenNames.eos_token);
  }

  /**
   * Token ids. Special tokens in the text become their ids. `addSpecialTokens` adds what tokenizer.json's
   * post-processor puts around a text (llama: BOS); a chat template has already written it.
   * @throws CheckpointError a regular expression of the file does not end on this text, or the text is too long for it
   */
  encode(text: string, addSpecialTokens = true): Uint32Array {
    const whole = text.replace(/\p{Surrogate}/gu, '\uFFFD'); // half a character, which has no bytes
    const ids = this.watch(this.watched.encode, 'characters', text.length, () => this.encodeText(whole));
    return Uint32Array.from(addSpecialTokens ? this.postProcess(ids) : ids);
  }

  /** Special tokens, and ids that are no token, give nothing. Bytes that are not UTF-8 become U+FFFD. */
  decode(ids: ArrayLike<number>): string {
    const tokens: string[] = [];
    for (let i = 0; i < ids.length; i++)
      if (this.isShown(ids[i])) tokens.push(this.names.get(ids[i]) as string);
    const { decoder } = this;
    if (!decoder) return tokens.join(' ');
    return this.watch(this.watched.decode, 'tokens', tokens.length, () => decoder(tokens).join(''));
  }

  /** One token on its own, for display: special tokens by name, a part of a character as U+FFFD. */
  tokenText(id: number): string {
    if (!this.isShown(id)) return this.names.get(id) ?? `[${id}]`;
    const known = this.texts.get(id);
    if (known !== undefined) return known;
    // A decoder may strip the first token's space, which the second of two equal tokens still has.
    const once = this.alone(id);
    const twice = this.decode([id, id]);
    const text = twice.length > 2 * once.length ? twice.slice(once.length) : once;
    this.texts.set(id, text);
    return text;
  }

  /** The bytes of one token on its own, also where they are a part of a character. @internal */
  tokenBytes(id: number): Uint8Array {
    const text = this.tokenText(id);
    if (text.includes('\uFFFD') && this.isShown(id)) {
      const name = this.names.get(id) as string;
      const byte = this.holdsBytes ? byteOf(name) : undefined;
      if (byte !== undefined) return Uint8Array.of(byte);
      if (this.levelsBytes) return Uint8Array.from(levelBytes(name));
    }
    return new TextEncoder().encode(text);
  }

  /**
   * Decodes token by token: all that `push` and `end` return together is `decode` of all ids. Characters whose bytes
   * are not all there yet are held back; `held` is what they read as so far.
   */
  stream(): { push(id: number): string; held(): string; end(): string } {
    let context: number[] = []; // told already; kept because a decoder may treat the first token differently
    let told = ''; // its text
    let pending: number[] = [];
    const whole = () => this.decode([...context, ...pending]);
    const flush = (text: string) => {
      const more = text.slice(told.length);
      if (pending.length > 0) {
        context = pending;
        told = context.length === 1 ? this.alone(context[0]) : this.decode(context);
        pending = [];
      }
      return more;
    };
    return {
      push: (id) => {
        if (!this.isShown(id)) return '';
        pending.push(id);
        if (this.holdsBytes && isByteToken(this.names.get(id) as string)) return '';
        const text = whole();
        return text.endsWith('\uFFFD') ? '' : flush(text);
      },
      held: () => whole().slice(told.length),
      end: () => flush(whole()),
    };
  }

  /** Whether `applyChatTemplate` has a template. */
  get hasChatTemplate(): boolean {
    return this.chatTemplate !== undefined;
  }

  /**
   * The text of a conversation up to the beginning of the assistant's turn.
   * @throws CheckpointError there is no template, it refuses, or it does not end
   */
  applyChatTemplate(messages: readonly Message[]): string {
    if (this.chatTemplate === undefined)
      throw new CheckpointError(this.file, 'has no chat template beside it');
    return renderChat(this.file, this.chatTemplate, messages, this.tokenNames);
  }

  /** Of text without broken surrogates. */
  private encodeText(text: string): number[] {
    return this.sections(text).flatMap(({ text, token, first }) =>
      token === undefined
        ? this.preTokenize(text, first).flatMap((piece) => this.vocabulary.encode(piece))
        : [token],
    );
  }

  /** Work on a text or tokens, which a regular expression of the file may keep from ending, and which may be too long for it. */
  private watch<T>(watched: boolean, what: string, length: number, work: () => T): T {
    try {
      return watched ? withinLimit(length, work) : work();
    } catch (error) {
      if (error instanceof TimeLimitError)
        throw new CheckpointError(this.file, `a regular expression ${error.message}`, { cause: error });
      // V8 has room for so many ways back in a text, and for strings and arrays of some length.
      if (error instanceof RangeError || error instanceof SyntaxError)
        throw new CheckpointError(this.file, `cannot take ${length} ${what} at once: ${reasonOf(error)}`, {
          cause: error,
        });
      throw error;
    }
  }

  /** Ids that are no token. */
  private warnOfHoles(warn: ((message: string) => void) | undefined): void {
    const holes = this.vocabSize - this.vocabulary.tokens.size;
    if (holes === 0) return;
    let first = 0;
    while (this.vocabulary.tokens.has(first)) first++;
    warn?.(`${this.file}: ${holes} ids below ${this.vocabSize} are no token, the first is ${first}`);
  }

  /** The text of one token with none before it. */
  private alone(id: number): string {
    const text = this.firsts.get(id) ?? this.decode([id]);
    this.firsts.set(id, text);
    return text;
  }

  /** Whether decoding shows it. */
  private isShown(id: number): boolean {
    return !this.special.has(id) && this.vocabulary.tokens.has(id);
  }
}
