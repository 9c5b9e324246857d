import * as assert from 'uvu/assert';
import { json } from '../../src/cli/format.ts';
import { frame, printable, Redraw, sideBySide, textWidth, wrap, writers } from '../../src/cli/terminal.ts';
import { test } from '../support/suite.ts';

test('a frame never wraps or scrolls, whatever the terminal', () => {
  const text = `${'word '.repeat(100)}\n\n${'x'.repeat(500)} 世界 ${'宽'.repeat(90)}\tend`;
  const facts = ['block 3/8', 'step 2/10', '41 % accepted', '1240 tokens', '310 tokens/s'];
  for (const columns of [1, 2, 3, 10, 40, 80, 200]) {
    for (const rows of [1, 2, 3, 24]) {
      const lines = frame({ text, done: 0.5, facts }, columns, rows).split('\n');
      assert.ok(lines.length <= Math.max(1, rows - 1), `${columns} × ${rows}: ${lines.length} lines`);
      // A wide character takes two cells however narrow the terminal is.
      const widest = Math.max(...lines.map(textWidth));
      assert.ok(widest <= Math.max(columns - 1, 2), `${columns} × ${rows}: ${widest} cells`);
    }
  }
});

test('a frame shows the last lines and as many facts as fit', () => {
  const view = { text: 'one\ntwo\nthree', done: 0.25, facts: ['block 1/4', 'step 1/3', '9 tokens/s'] };
  assert.is(frame(view, 73, 4), 'two\nthree\n━━━───────── block 1/4 · step 1/3 · 9 tokens/s');
  assert.is(frame(view, 29, 2), '━─── block 1/4 · step 1/3');
  assert.is(frame({ ...view, text: '' }, 19, 24), '─── block 1/4');
  assert.is(frame({ ...view, done: 7 }, 13, 2), '━━ block 1/4');
  assert.is(frame({ ...view, done: 7 }, 11, 2), '━');
});

test('text is wrapped at spaces, long words anywhere, wide characters by their cells', () => {
  assert.equal(wrap('the quick brown fox', 9), ['the quick', 'brown fox']);
  assert.equal(wrap('the quicker fox', 9), ['the', 'quicker', 'fox']);
  assert.equal(wrap('abcdefgh', 3), ['abc', 'def', 'gh']);
  assert.equal(wrap('a\n\nb', 3), ['a', '', 'b']);
  assert.equal(wrap('世界世界', 5), ['世界', '世界']);
  assert.is(textWidth('e\u0301世a'), 4);
});

test('nothing an answer contains can steer the terminal', () => {
  assert.is(printable('a\x1b[2Jb\rc\r\nd\te\u202ef\x9b'), 'a\ufffd[2Jb\ufffdc\nd\te\ufffdf\ufffd');
});

/** Every C0 and C1 control but line feed and tab, DEL, and every bidi control. */
const STEERING = [
  ...Array.from({ length: 0xa0 }, (_, code) => code).filter(
    (c) => (c < 32 || c > 126) && c !== 9 && c !== 10,
  ),
  ...[0x61c, 0x200e, 0x200f, 0x202a, 0x202b, 0x202c, 0x202d, 0x202e, 0x2066, 0x2067, 0x2068, 0x2069],
].map((code) => String.fromCharCode(code));
const HARMLESS = 'a\n\t é\u0301 世 \u200d🙂 \ufffd \u00a0\ud800';

test('what could steer a terminal is written as an escape, all else as it is', () => {
  for (const isTTY of [true, false]) {
    const [stdout, stderr] = [recorder(isTTY), recorder(isTTY)];
    const io = writers(stdout, stderr);
    for (const c of STEERING) {
      const shown = `x\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}y`;
      io.out(`x${c}y`);
      io.err(`x${c}y`);
      assert.equal([stdout.written.pop(), stderr.written.pop()], [shown, shown]);
    }
    io.out(HARMLESS);
    io.err(HARMLESS);
    assert.equal([stdout.written.pop(), stderr.written.pop()], [HARMLESS, HARMLESS]);
  }
});

test('what a model wrote goes as it is into a pipe, and to a terminal without what could steer it', () => {
  const all = `${STEERING.join(' ')}${HARMLESS}`;
  const [pipe, terminal] = [recorder(false), recorder(true)];
  writers(pipe, pipe).text(all);
  writers(terminal, terminal).text(all);
  assert.equal(pipe.written, [all]);
  assert.equal(terminal.written, [`${STEERING.map(() => '\ufffd').join(' ')}${HARMLESS}`]);
});

test('JSON means the same and steers no terminal', () => {
  const value = { [STEERING.join('')]: `${STEERING.join('')}${HARMLESS}\\u001b` };
  const [stdout] = [recorder(true)];
  writers(stdout, stdout).out(json(value));
  assert.equal(JSON.parse(stdout.written[0]), value);
  for (const c of STEERING) assert.not.ok(stdout.written[0].includes(c));
});

test('a fact below the text steers nothing and stays on its line', () => {
  const facts = ['loading a\x1b[2Jb\n\u202ec'];
  assert.is(frame({ text: '', done: 0, facts }, 80, 24), `${'─'.repeat(13)} loading a\\u001b[2Jb \\u202ec`);
});

test('columns stand side by side', () => {
  const text = sideBySide({ title: 'A', text: 'one two' }, { title: 'B', text: 'x\ny' }, 14);
  assert.is(text, 'A       B\n─────   ─────\none     x\ntwo     y');
});

/** A terminal of some size that remembers what is written to it. */
function recorder(isTTY: boolean, columns = 20, rows = 6) {
  const written: string[] = [];
  return { isTTY, columns, rows, written, write: (text: string) => written.push(text) };
}
const view = (text: string) => () => ({ text, done: 0.5, facts: [] });
const unwanted = (): never => {
  throw new Error('a view was asked for');
};

test('a redraw goes back to where it began and leaves nothing behind', () => {
  const terminal = recorder(true);
  const redraw = new Redraw(terminal, { NO_COLOR: '1' });
  redraw.update(view('one\ntwo'));
  assert.is(terminal.written[0], '\x1b[?25l\r\x1b[Jone\ntwo\n━──');
  redraw.update(unwanted); // within a tenth of a second
  redraw.clear();
  assert.is(terminal.written[1], '\r\x1b[2A\x1b[J\x1b[?25h');
  redraw.clear();
  assert.is(terminal.written.length, 2);
  redraw.update(view('again'));
  redraw.close();
  redraw.update(unwanted);
  assert.is(terminal.written.length, 4);
});

test('a redraw counts the lines that a narrower window has wrapped', () => {
  const terminal = recorder(true);
  const redraw = new Redraw(terminal, { NO_COLOR: '1' });
  redraw.update(view('0123456789'));
  terminal.columns = 4;
  redraw.clear();
  assert.is(terminal.written[1], '\r\x1b[3A\x1b[J\x1b[?25h'); // 10 cells are 3 rows, the bar's 3 are 1
});

test('the bar is dim unless NO_COLOR says otherwise; without a terminal nothing is drawn', () => {
  const coloured = recorder(true);
  new Redraw(coloured, {}).update(view(''));
  assert.match(coloured.written[0], '\x1b[2m━──\x1b[22m');
  for (const [terminal, env] of [
    [recorder(false), {}],
    [recorder(true), { TERM: 'dumb' }],
  ] as const) {
    const redraw = new Redraw(terminal, env);
    redraw.update(unwanted);
    redraw.clear();
    assert.equal(terminal.written, []);
  }
});

test.run();
