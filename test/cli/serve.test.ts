import * as assert from 'uvu/assert';
import { inProcess, MAIN } from '../support/cli.ts';
import { endsAtTheSecondSignal, servesAsItShould } from '../support/serving.ts';
import { test } from '../support/suite.ts';

test('a server answers, notices who has left, and is stopped by signals', async () => {
  await servesAsItShould(process.execPath, [MAIN]);
});

test('the second signal ends what is under way', () => endsAtTheSecondSignal(process.execPath, [MAIN]));

test('options that are wrong are refused before anything is loaded', async () => {
  for (const [option, value] of [
    ['--port', '65536'],
    ['--port', 'x'],
    ['--concurrency', '0'],
    ['--queue', '-1'],
    ['--deadline', '0'],
    ['--max-tokens', '0'],
    ['--api-key', ''],
    ['--cors', 'example.org'],
  ]) {
    const { code, err } = await inProcess(['serve', '--model', '/nowhere', option, value]);
    assert.is(code, 2, `${option} ${value}: ${err}`);
    assert.match(err, option === '--api-key' ? 'API key' : option);
  }
});

test.run();
