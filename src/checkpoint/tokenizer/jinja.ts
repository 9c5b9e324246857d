import { Environment, Interpreter, parse, Template, tokenize } from '@huggingface/jinja';

// The library's declarations do not resolve in TypeScript's NodeNext: what is used of it stands here.
interface Value {
  readonly type: string;
  readonly value: unknown;
  toString(): string;
}
interface Node {
  readonly type: string;
  readonly [key: string]: unknown;
}
interface Base {
  evaluate(node: Node, scope: object): Value;
  evaluateBlock(nodes: Node[], scope: object): Value;
  evaluateFor(node: Node, scope: object): Value;
  evaluateBinaryExpression(node: Node, scope: object): Value;
  evaluateFilterExpression(node: Node, scope: object): Value;
  run(program: object): Value;
}
const Library = Interpreter as unknown as new (environment: object) => Base;

/** Statements whose value is no output. */
const SILENT = ['Set', 'Macro', 'Comment'];

/** Renders a template as Jinja with transformers' settings does: values as Python prints them, no range without end. */
export function render(template: string, values: Record<string, unknown>): string {
  const environment = new Environment();
  const globals = { true: true, True: true, false: false, False: false, none: null, None: null };
  for (const [name, value] of Object.entries({ ...globals, ...FUNCTIONS, ...values }))
    environment.set(name, value);
  const tokens = tokenize(template.replace(/\r\n?/g, '\n'), { lstrip_blocks: true, trim_blocks: true });
  return new PythonInterpreter(environment).run(parse(tokens)).value as string;
}

/** A loop that is being run. */
interface Loop {
  readonly body: Node[];
  /** Whether a turn of it has come to its end, and what ended it otherwise. */
  turned: boolean;
  left?: unknown;
  broken: boolean;
}

class PythonInterpreter extends Library {
  private loop: Loop | undefined;

  override evaluateBlock(nodes: Node[], scope: object): Value {
    const loop = this.loop?.body === nodes ? this.loop : undefined;
    if (loop?.broken) throw loop.left;
    let text = '';
    try {
      for (const node of nodes) {
        const value = this.evaluate(node, scope);
        if (!SILENT.includes(node.type)) text += show(value);
      }
      if (loop) loop.turned = true;
    } catch (error) {
      // What a turn wrote before break or continue counts.
      const control = error as { constructor: { name: string }; written?: string };
      const { name } = control.constructor;
      if (name !== 'BreakControl' && name !== 'ContinueControl') throw error;
      text += control.written ?? '';
      control.written = text;
      if (!loop) throw error;
      loop.left = error;
      loop.broken = name === 'BreakControl'; // the next turn ends it
    }
    return this.text(text, scope);
  }

  override evaluateFor(node: Node, scope: object): Value {
    const outer = this.loop;
    const loop: Loop = { body: node.body as Node[], turned: false, broken: false };
    this.loop = loop;
    try {
      const text = super.evaluateFor(node, scope);
      if (!loop.left || loop.turned) return text;
      // As in Jinja, else is for a loop of which no turn came to its end.
      return this.text(show(text) + show(this.evaluateBlock(node.defaultBlock as Node[], scope)), scope);
    } finally {
      this.loop = outer;
    }
  }

  override evaluateBinaryExpression(node: Node, scope: object): Value {
    const { value: operator } = node.operator as Value;
    if (operator !== '~' && operator !== '%') return super.evaluateBinaryExpression(node, scope);
    const [left, right] = [node.left, node.right].map((side) => this.evaluate(side as Node, scope));
    if (operator === '~') return this.text(show(left) + show(right), scope);
    const [a, b] = [left.value, right.value];
    if (typeof a !== 'number' || typeof b !== 'number' || b === 0)
      return super.evaluateBinaryExpression(node, scope);
    const rest = a % b;
    const type = [left.type, right.type].includes('FloatValue') ? 'FloatLiteral' : 'IntegerLiteral';
    // The sign is the divisor's.
    return this.evaluate({ type, value: rest !== 0 && rest < 0 !== b < 0 ? rest + b : rest }, scope);
  }

  override evaluateFilterExpression(node: Node, scope: object): Value {
    if ((node.filter as Node).value !== 'string') return super.evaluateFilterExpression(node, scope);
    return this.text(show(this.evaluate(node.operand as Node, scope)), scope);
  }

  private text(value: string, scope: object): Value {
    return this.evaluate({ type: 'StringLiteral', value }, scope);
  }
}

/** Jinja's sandbox allows no longer ones. */
const MAX_RANGE = 100_000;

const FUNCTIONS = {
  raise_exception: (message: unknown) => {
    throw new Error(String(message));
  },
  range: (start: number, stop?: number, step = 1) => {
    const [from, to] = stop === undefined ? [0, start] : [start, stop];
    const length = Math.max(0, Math.ceil((to - from) / step));
    if (!(length <= MAX_RANGE))
      throw new Error(`range has ${length} numbers: at most ${MAX_RANGE} are allowed`);
    return Array.from({ length }, (_, i) => from + i * step);
  },
  strftime_now: (format: string) => new Template('{{ strftime_now(format) }}').render({ format }),
};

/** Python's str. */
function show(value: Value): string {
  return value.type === 'StringValue' ? (value.value as string) : repr(value);
}

function repr(shown: Value): string {
  const { type, value } = shown;
  switch (type) {
    case 'UndefinedValue':
      return '';
    case 'NullValue':
      return 'None';
    case 'BooleanValue':
      return value ? 'True' : 'False';
    case 'StringValue':
      return quote(value as string);
    case 'ArrayValue':
      return `[${(value as Value[]).map(repr).join(', ')}]`;
    case 'TupleValue':
      return `(${(value as Value[]).map(repr).join(', ')}${(value as Value[]).length === 1 ? ',' : ''})`;
    case 'ObjectValue':
      return `{${[...(value as Map<string, Value>)].map(([key, each]) => `${quote(key)}: ${repr(each)}`).join(', ')}}`;
    default:
      return shown.toString();
  }
}

function quote(text: string): string {
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'";
  const names: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };
  const inner = text.replace(/[\\\p{C}\p{Zl}\p{Zp}]|'|(?! )\p{Zs}/gu, (c) => {
    if (c === '\\') return '\\\\';
    if (c === "'") return mark === "'" ? "\\'" : c;
    const code = c.codePointAt(0) as number;
    const [letter, width] = code < 0x100 ? ['x', 2] : code < 0x10000 ? ['u', 4] : ['U', 8];
    return names[c] ?? `\\${letter}${code.toString(16).padStart(width as number, '0')}`;
  });
  return mark + inner + mark;
}
