/** The script of the page that the server shows. */
import { find } from '../dom.ts';
import { Side } from './side.ts';
import { GrowingTree } from './tree.ts';

interface About {
  readonly model: string;
  readonly adapter: string;
  readonly chat: boolean;
  readonly maxTokens: number;
}

const form = find<HTMLFormElement>('ask');
const problem = find<HTMLTextAreaElement>('problem');
const start = find<HTMLButtonElement>('start');
const stop = find<HTMLButtonElement>('stop');
const tree = new GrowingTree();
const plain = new Side('plain');
const power = new Side('power', tree);
let running: AbortController | undefined;

const about: About = JSON.parse(find('about').textContent ?? '');
find('model').textContent = `${about.model} on ${about.adapter}`;
find('chat-row').hidden = !about.chat;
field('max').value = String(Math.min(Number(field('max').value), about.maxTokens));

function field(name: string): HTMLInputElement {
  return find<HTMLInputElement>(name);
}

/** A number that was given; what the server's model takes by itself where the field is empty. */
const number = (name: string): number | undefined =>
  field(name).value.trim() === '' ? undefined : Number(field(name).value);

async function ask(): Promise<void> {
  running?.abort();
  const now = new AbortController();
  running = now;
  start.hidden = true;
  stop.hidden = false;
  stop.focus();
  find('sides').hidden = false;
  const chat = about.chat && field('chat').checked;
  const common = {
    prompt: problem.value,
    chat,
    max_tokens: number('max'),
    seed: number('seed') ?? Math.floor(Math.random() * 2 ** 32),
  };
  const key = field('key').value;
  const extract = find<HTMLSelectElement>('extract').value || undefined;
  const egps = {
    sampler: 'egps',
    alpha: number('alpha'),
    particles: number('particles'),
    finalSteps: number('steps'),
    extract,
    pick: extract ? 'vote' : undefined,
  };
  const ends = await Promise.all([
    plain.run(
      { ...common, egps: { sampler: 'sample' }, temperature: number('temperature') },
      key,
      now.signal,
    ),
    power.run({ ...common, egps }, key, now.signal),
  ]);
  if (running !== now) return;
  running = undefined;
  start.hidden = false;
  stop.hidden = true;
  if (!ends.includes(401)) return;
  find('key-row').hidden = false;
  find<HTMLDetailsElement>('settings').open = true;
  field('key').focus();
}

form.addEventListener('submit', (event) => {
  event.preventDefault();
  void ask();
});
stop.addEventListener('click', () => {
  running?.abort();
  start.hidden = false;
  stop.hidden = true;
  start.focus();
});
addEventListener('keydown', (event) => {
  if (event.key === 'Escape' && running) stop.click();
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) form.requestSubmit();
});
new ResizeObserver(() => tree.draw()).observe(find('tree-box'));
