import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { COMMANDS } from '../../src/cli/commands.ts';

const PROBLEM = 'Mia has 28 coins. Mia finds 19. How many coins now?';
const ITEMS = [
  { id: 'a', prompt: `${PROBLEM}\n`, answer: '\\frac{94}{2}', grader: 'math' },
  { id: 'b', prompt: 'Tom has 8 beads. Tom sells 3. How many beads now?\n', answer: '5', grader: 'exact' },
];

const NAMES = ['info', 'score', 'debug', 'profile', 'generate', 'eval', 'again', 'calibrate'] as const;

/**
 * Runs the commands of egps but the demo and the server, by the embedded model, and has every file written that they may write.
 * @param dir an empty folder
 * @param run runs `support/run-commands.ts` with its argument under the runtime to be tested
 */
export function runCommands(
  dir: string,
  run: (commands: string) => string,
  names: readonly (typeof NAMES)[number][] = NAMES,
): Drawn {
  const at = (name: string) => join(dir, name);
  writeFileSync(at('items.jsonl'), ITEMS.map((item) => `${JSON.stringify(item)}\n`).join(''));
  writeFileSync(at('prompts.txt'), ITEMS.map(({ prompt }) => prompt).join(''));
  cpSync('models/abacus', at('model'), { recursive: true });
  const chain = ['--particles', '8', '--final-steps', '2', '--max-new-tokens', '40', '--seed', '3'];
  const evaluate = ['eval', '--task', at('items.jsonl'), '--sampler', 'greedy', '--out', at('run')];
  const fit = ['--prompts', at('prompts.txt'), '--samples', '2', '--max-new-tokens', '16'];
  const commands: Record<(typeof NAMES)[number], string[]> = {
    info: ['info'],
    score: ['score', PROBLEM],
    debug: ['debug', '--layer', '1', '--out', at('activations.safetensors'), PROBLEM],
    profile: ['profile'],
    generate: ['generate', '--json', ...chain, '--trace', at('trace.html'), PROBLEM],
    eval: evaluate,
    again: evaluate, // a finished run: nothing is computed
    calibrate: ['calibrate', '--model', at('model'), ...fit],
  };
  const known = Object.values(commands).map(([name]) => name);
  assert.equal(
    [...new Set([...known, 'demo', 'serve'])].sort(),
    Object.keys(COMMANDS).sort(),
    'every command',
  );
  const said: Said[] = JSON.parse(run(JSON.stringify(names.map((name) => commands[name]))));
  const out = new Map(names.map((name, i) => [name, said[i].out]));
  for (const [i, { error }] of said.entries()) assert.is(error, null, `${names[i]}: ${error}`);
  assert.is(out.get('again'), out.get('eval'));
  const text = (name: string) => readFileSync(at(name), 'utf8');
  for (const page of ['trace.html', 'run/report.html']) assert.match(text(page), /<\/html>\s*$/, page);
  if (names.includes('debug')) assert.match(text('activations.safetensors'), 'mlp.down_proj');
  if (names.includes('calibrate'))
    assert.not.equal(text('model/egps.json'), readFileSync('models/abacus/egps.json', 'utf8'));
  const answer = JSON.parse(out.get('generate') ?? '');
  const results = text('run/results.jsonl')
    .trim()
    .split('\n')
    .sort()
    .map((line) => JSON.parse(line));
  return {
    drawn: [answer.text, answer.tokens, answer.promptTokens, ...results.map((result) => result.text)],
    logp: [...answer.logp, ...answer.entropy, ...results.map((result) => result.logp)],
  };
}

/** What `generate` and `eval` have drawn, and how probable it was. */
interface Drawn {
  readonly drawn: unknown[];
  readonly logp: number[];
}

interface Said {
  readonly out: string;
  readonly error: string | null;
}
