import { spawn } from 'node:child_process';
import { once } from 'node:events';
import * as assert from 'uvu/assert';
import { eventsOf, PROBLEM, post } from './server.ts';

const REQUEST = { model: 'abacus', prompt: PROBLEM, max_tokens: 8, seed: 5, temperature: 0 };
const LONG = { ...REQUEST, temperature: 1, max_tokens: 900, egps: { particles: 64, finalSteps: 500 } };

/** Starts a server. */
async function start(program: string, main: readonly string[]) {
  const child = spawn(program, [...main, 'serve', '--port', '0'], {
    env: { ...process.env, DENO_NO_UPDATE_CHECK: '1', NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 120_000,
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    said += text;
  });
  const ended = once(child, 'close');
  const [url] = await Promise.race([once(child.stdout.setEncoding('utf8'), 'data'), ended]);
  assert.match(String(url), /^http:\/\/127\.0\.0\.1:\d+\n$/, said);
  return { child, ended, url: String(url).trim(), said: () => said };
}

/**
 * A server in a process of its own answers, whole and streamed, gives up what a client has left, and waits at SIGTERM for what is under way.
 * @param main runs the command line of egps
 * @returns the text of an answer
 */
export async function servesAsItShould(program: string, main: readonly string[]): Promise<string> {
  const first = await start(program, main);
  const { url } = first;
  const { json } = await post(url, '/v1/completions', REQUEST);
  let text = '';
  for await (const piece of eventsOf(url, '/v1/completions', REQUEST)) text += piece.choices?.[0].text ?? '';
  assert.is(text, json.choices[0].text);
  assert.is((await post(url, '/v1/completions', { ...REQUEST, n: 0 })).json.error.param, 'n');

  const given = new AbortController();
  const left = eventsOf(url, '/v1/completions', LONG, given.signal);
  await left.next();
  given.abort();
  await left.next().catch(() => {});
  for (let i = 0; !/ 499 /.test(first.said()); i++) {
    assert.ok(i < 1000, `a client that has left is not noticed: ${first.said()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }

  const last = eventsOf(url, '/v1/completions', { ...REQUEST, max_tokens: 60 });
  await last.next();
  first.child.kill('SIGTERM');
  const pieces = [];
  for await (const piece of last) pieces.push(piece);
  assert.is(pieces.at(-1), '[DONE]');
  assert.equal(await first.ended, [0, null], first.said());

  return text;
}

/** The second SIGTERM ends what is under way. */
export async function endsAtTheSecondSignal(program: string, main: readonly string[]): Promise<void> {
  const second = await start(program, main);
  const endless = eventsOf(second.url, '/v1/completions', LONG);
  await endless.next();
  second.child.kill('SIGTERM');
  for (let i = 0; i < 1000 && !/once more ends/.test(second.said()); i++)
    await new Promise((resolve) => setTimeout(resolve, 10));
  second.child.kill('SIGTERM');
  const rest = [];
  try {
    for await (const piece of endless) rest.push(piece);
    assert.is(rest.at(-1).error.code, 'stopping');
  } catch {
    // the connection was ended before it was told
  }
  assert.equal(await second.ended, [0, null], second.said());
}
