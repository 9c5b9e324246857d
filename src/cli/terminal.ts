/** What a terminal shows while an answer is being made. */
export interface View {
  /** The current answer. */
  readonly text: string;
  /** How much of the work is done, 0 to 1. */
  readonly done: number;
  /** Shown behind the bar, most important first; the last ones go where the line is too short. */
  readonly facts: readonly string[];
}

const BAR = 20;

/**
 * The lines to show: the last lines of the text that fit, and below them the bar with the facts. At most `rows` − 1
 * lines of at most `columns` − 1 cells, so that nothing scrolls or wraps by itself.
 */
export function frame(view: View, columns: number, rows: number): string {
  const width = Math.max(1, columns - 1);
  const room = Math.max(0, rows - 2);
  const lines = room > 0 && view.text !== '' ? wrap(view.text, width).slice(-room) : [];
  return [...lines, statusLine(view, width)].join('\n');
}

function statusLine({ done, facts }: View, width: number): string {
  const cells = Math.min(BAR, Math.floor(width / 6));
  const filled = Math.floor(Math.min(1, Math.max(0, done)) * cells);
  let line = '━'.repeat(filled) + '─'.repeat(cells - filled);
  for (const [i, fact] of facts.entries()) {
    const next = line + (i === 0 ? ' ' : ' · ') + escaped(oneLine(fact));
    if (textWidth(next) > width) break;
    line = next;
  }
  return line;
}

/** Breaks text into lines of at most `width` cells, at spaces where there are some. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const paragraph of printable(text).replaceAll('\t', '    ').split('\n')) {
    let line = '';
    let cells = 0;
    for (const character of paragraph) {
      const w = cellWidth(character);
      if (cells + w > width && line !== '') {
        const space = character === ' ' ? -1 : line.lastIndexOf(' ');
        const rest = space > 0 ? line.slice(space + 1) : '';
        lines.push(space > 0 ? line.slice(0, space) : line);
        line = rest;
        cells = textWidth(rest);
        if (character === ' ') continue; // the break stands for it
      }
      line += character;
      cells += w;
    }
    lines.push(line);
  }
  return lines;
}

/** At most `width` cells of a line, the last one an ellipsis where something is left out. */
export function cut(line: string, width: number): string {
  if (textWidth(line) <= width) return line;
  let kept = '';
  let cells = 1; // of the ellipsis
  for (const character of line) {
    cells += cellWidth(character);
    if (cells > width) break;
    kept += character;
  }
  return `${kept}…`;
}

/** What could steer a terminal or turn the order of what it shows: controls but line feed and tab, bidi controls. */
const STEERING = /(?![\n\t])[\p{Cc}\p{Bidi_Control}]/gu;

/** The text of a model with a placeholder for each character that could steer a terminal. */
export function printable(text: string): string {
  return text.replaceAll('\r\n', '\n').replace(STEERING, '\ufffd');
}

/** The text with each character that could steer a terminal as the escape that JSON has for it. */
export function escaped(text: string): string {
  return text.replace(STEERING, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** A message on one line. */
export function oneLine(message: string): string {
  return message.replace(/\s*\n\s*/g, ' ');
}

/** Cells a line of text takes. */
export function textWidth(text: string): number {
  let cells = 0;
  for (const character of text) cells += cellWidth(character);
  return cells;
}

const ZERO = /^[\p{Mn}\p{Me}\p{Cf}]$/u;
const WIDE: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x2e80, 0xa4cf],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x1f300, 0x1faff],
  [0x20000, 0x3fffd],
];

function cellWidth(character: string): number {
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x300) return 1;
  if (ZERO.test(character)) return 0;
  return WIDE.some(([first, last]) => first <= code && code <= last) ? 2 : 1;
}

/** Two texts beside each other under their titles, in columns of equal width. */
export function sideBySide(
  left: { title: string; text: string },
  right: { title: string; text: string },
  columns: number,
): string {
  const width = Math.floor((columns - 4) / 2);
  const a = [left.title, '─'.repeat(width), ...wrap(left.text, width)];
  const b = [right.title, '─'.repeat(width), ...wrap(right.text, width)];
  return Array.from({ length: Math.max(a.length, b.length) }, (_, i) => {
    const line = a[i] ?? '';
    return `${line}${' '.repeat(Math.max(0, width - textWidth(line)))}   ${b[i] ?? ''}`.trimEnd();
  }).join('\n');
}

/**
 * How a command writes. Whatever a checkpoint, a file or a path has in it, nothing but a `Redraw` steers the terminal.
 * What a model wrote (`text`) is data where it goes to a file or a pipe, and stays as it is there.
 */
export function writers(
  stdout: Terminal,
  stderr: Terminal,
): Record<'out' | 'text' | 'err', (text: string) => void> {
  return {
    out: (text: string) => void stdout.write(escaped(text)),
    text: (text: string) => void stdout.write(stdout.isTTY ? printable(text) : text),
    err: (text: string) => void stderr.write(escaped(text)),
  };
}

/** The part of a stream that is needed here. */
interface Terminal {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
}

const INTERVAL = 100;

/**
 * Redraws one view in place on a terminal, at most ten times a second. On anything else it does nothing.
 * `clear` and `close` leave the terminal as it was found.
 */
export class Redraw {
  private readonly terminal: Terminal;
  private enabled: boolean;
  private readonly colour: boolean;
  private shown: string[] = [];
  private last = Number.NEGATIVE_INFINITY;

  constructor(terminal: Terminal, env: Readonly<Record<string, string | undefined>>) {
    this.terminal = terminal;
    this.enabled = terminal.isTTY === true && env.TERM !== 'dumb';
    this.colour = !env.NO_COLOR;
  }

  /** Whether anybody sees it. */
  get active(): boolean {
    return this.enabled;
  }

  /** `view` is asked for only when there is something to draw. */
  update(view: () => View): void {
    const now = performance.now();
    if (!this.enabled || now - this.last < INTERVAL) return;
    this.last = now;
    const { columns, rows } = this.terminal;
    const lines = frame(view(), columns || 80, rows || 24).split('\n');
    const status = lines.length - 1;
    const text = [...lines.slice(0, status), this.colour ? `\x1b[2m${lines[status]}\x1b[22m` : lines[status]];
    this.terminal.write(`\x1b[?25l${this.erase()}${text.join('\n')}`);
    this.shown = lines;
  }

  clear(): void {
    if (this.shown.length === 0) return;
    this.terminal.write(`${this.erase()}\x1b[?25h`);
    this.shown = [];
    this.last = Number.NEGATIVE_INFINITY;
  }

  /** Clears, and draws no more. */
  close(): void {
    this.clear();
    this.enabled = false;
  }

  /** Back to the first cell of what is shown, which may have been wrapped by a narrower window, and clear from there. */
  private erase(): string {
    const columns = this.terminal.columns || 80;
    const height = this.shown.reduce((n, line) => n + Math.max(1, Math.ceil(textWidth(line) / columns)), 0);
    return `\r${height > 1 ? `\x1b[${height - 1}A` : ''}\x1b[J`;
  }
}
