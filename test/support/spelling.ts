import { Tokenizer } from '../../src/checkpoint/tokenizer.ts';
import { withFolder } from './folder.ts';

/** A tokenizer whose tokens are these, a character each as byte-level BPE writes a byte: `Ã` and `©` are the bytes of é. */
export async function spelling(tokens: readonly string[], template?: string): Promise<Tokenizer> {
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false };
  const json = {
    pre_tokenizer: byteLevel,
    decoder: byteLevel,
    model: {
      type: 'BPE',
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges: [],
    },
  };
  const files = {
    'tokenizer.json': json,
    'tokenizer_config.json': { chat_template: template },
  };
  let tokenizer: Tokenizer | null = null;
  await withFolder(files, async (dir) => {
    tokenizer = await Tokenizer.load(dir);
  });
  return tokenizer as unknown as Tokenizer;
}
