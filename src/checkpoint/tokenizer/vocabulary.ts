import { BPE } from '#runtime/checkpoint/tokenizer/library';
import { CheckpointError } from '../../base/errors.ts';
import { describe } from '../../base/show.ts';
import type { AddedToken } from './added-tokens.ts';
import { isId, type Part } from './part.ts';

/** The tokens of a file by id and by name, and the model that makes them out of pieces. */
export interface Vocabulary {
  readonly tokens: ReadonlyMap<number, string>;
  readonly ids: ReadonlyMap<string, number>;
  /**
   * A character that is no token becomes unk_token, or nothing where none is named.
   * @throws CheckpointError where the one named is no token
   */
  encode(piece: string): number[];
}

/**
 * @throws CheckpointError for a model that is not byte-pair encoding, or that tokenizers would refuse, and for tokens that
 * contradict each other
 */
export function readVocabulary(file: Part, added: readonly AddedToken[]): Vocabulary {
  const model = file.optional('model');
  if (!model?.has('vocab')) throw new CheckpointError(file.file, 'model.vocab is missing');
  const type = model.has('type') ? model.type : 'BPE';
  if (type !== 'BPE') throw model.refusal(`is ${JSON.stringify(type)}: supported is BPE`);
  for (const key of ['dropout', 'continuing_subword_prefix', 'end_of_word_suffix'])
    if (model.value(key))
      throw model.refusal(`has the ${key} ${describe(model.value(key))}: supported is none`);

  const ids = new Map<string, number>();
  const tokens = new Map<number, string>();
  const take = (token: string, id: unknown) => {
    const named = `token ${describe(token)}`;
    if (!isId(id)) throw new CheckpointError(file.file, `${named} has the id ${describe(id)}`);
    const other = tokens.get(id);
    if (other !== undefined && other !== token)
      throw new CheckpointError(file.file, `${named} has the id ${id}, as has ${describe(other)}`);
    const before = ids.get(token);
    if (before !== undefined && before !== id)
      throw new CheckpointError(file.file, `${named} has the id ${id}, and ${before} as well`);
    ids.set(token, id);
    tokens.set(id, token);
  };
  for (const [token, id] of model.part('vocab').entries()) take(token, id);
  const inModel = new Map(ids);
  for (const { content, id } of added) take(content, id);

  const isHeader = (merge: unknown) => typeof merge === 'string' && merge.startsWith('#version');
  const listed = model.list('merges').filter((merge) => !isHeader(merge));
  const merges = listed.map((merge, i): [string, string] => {
    const pair = typeof merge === 'string' ? merge.split(' ') : merge;
    if (!Array.isArray(pair) || pair.length !== 2 || !pair.every((half) => typeof half === 'string'))
      throw model.refusal(`has the merge ${describe(merge)} (number ${i}): two tokens belong there`);
    for (const token of [pair[0], pair[1], pair[0] + pair[1]])
      if (!inModel.has(token))
        throw model.refusal(
          `has the merge ${describe(pair.join(' '))} (number ${i}), but no token ${describe(token)}`,
        );
    return pair as [string, string];
  });
  return { tokens, ids, encode: bytePairs(model, inModel, merges) };
}

function bytePairs(model: Part, ids: ReadonlyMap<string, number>, merges: [string, string][]) {
  const unk = model.value('unk_token') === null ? undefined : model.string('unk_token', '') || undefined;
  const unkId = unk === undefined ? undefined : ids.get(unk);
  const byteFallback = model.boolean('byte_fallback', false);
  const fuseUnk = model.boolean('fuse_unk', false);
  const ignoreMerges = model.boolean('ignore_merges', false);
  // Everything but the merging is done here.
  const bpe = new BPE({ vocab: Object.fromEntries(ids), merges });
  const encoder = new TextEncoder();
  const bytes = (char: string) =>
    Array.from(encoder.encode(char), (b) => ids.get(`<0x${b.toString(16).toUpperCase().padStart(2, '0')}>`));

  return (piece: string): number[] => {
    const whole = ignoreMerges ? ids.get(piece) : undefined;
    if (whole !== undefined) return [whole];
    const out: number[] = [];
    for (const token of bpe.bpe(piece)) {
      const id = ids.get(token);
      if (id !== undefined) {
        out.push(id);
        continue;
      }
      const fallback = byteFallback ? bytes(token) : [undefined];
      if (!fallback.includes(undefined)) out.push(...(fallback as number[]));
      else if (unk !== undefined) {
        if (unkId === undefined)
          throw model.refusal(`has no unk_token for ${describe(token)}: ${describe(unk)} is no token`);
        if (!fuseUnk || out.at(-1) !== unkId) out.push(unkId);
      }
    }
    return out;
  };
}
