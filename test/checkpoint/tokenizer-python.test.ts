import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { CheckpointError } from '../../src/base/errors.ts';
import { Tokenizer } from '../../src/checkpoint/tokenizer.ts';
import { failure, withFolder } from '../support/folder.ts';
import { test } from '../support/suite.ts';
import { compareComponents, compareTokenizers, type Oracle } from '../support/tokenizer-oracle.ts';

const fixture = (name: string) => JSON.parse(readFileSync(`test/fixtures/${name}.json`, 'utf8'));
const oracle: Oracle = fixture('tokenizers');

test("normalizers, pre-tokenizers and decoders are those of Python's tokenizers", () => {
  for (const { name, points, strings, examples } of compareComponents(oracle))
    assert.equal([points, strings], [0, 0], `${name}:\n${examples.join('\n')}`);
});

test("added tokens, byte pairs and post-processors are those of Python's tokenizers", async () => {
  for (const { name, strings, examples } of await compareTokenizers(oracle))
    assert.is(strings, 0, `${name}:\n${examples.join('\n')}`);
});

test('chat templates render as in transformers', async () => {
  const { tokens, cases } = fixture('templates');
  for (const { name, template, messages, text } of cases)
    await withFolder(
      {
        'tokenizer.json': { model: { type: 'BPE', vocab: { a: 0 }, merges: [] } },
        'tokenizer_config.json': { ...tokens, chat_template: template },
      },
      async (dir) => {
        const tokenizer = (await Tokenizer.load(dir)) as Tokenizer;
        if (text === null || name.startsWith('not supported'))
          await failure(CheckpointError, /chat template failed/, () => tokenizer.applyChatTemplate(messages));
        else assert.is(tokenizer.applyChatTemplate(messages), text, name);
      },
    );
});

test.run();
