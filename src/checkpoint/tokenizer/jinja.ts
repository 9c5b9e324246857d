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

class PythonInterpreter extends Library {
  /** Bodies of loops, and what ended those that were left by break. */
  private readonly bodies = new WeakSet<Node[]>();
  private readonly broken = new Map<Node[], unknown>();

  override evaluateBlock(nodes: Node[], scope: object): Value {
    if (this.broken.has(nodes)) throw this.broken.get(nodes);
    let text = '';
    try {
      for (const node of nodes) {
        const value = this.evaluate(node, scope);
        if (!SILENT.includes(node.type)) text += show(value);
      }
    } catch (error) {
      // What a turn of a loop wrote before break or continue counts.
      const control = error as { constructor: { name: string }; written?: string };
      if (!['BreakControl', 'ContinueControl'].includes(control.constructor.name)) throw error;
      text += control.written ?? '';
      control.written = this.bodies.has(nodes) ? '' : text;
      if (!this.bodies.has(nodes)) throw error;
      if (control.constructor.name === 'BreakControl') this.broken.set(nodes, error); // the next turn ends the loop
    }
    return this.text(text, scope);
  }

  override evaluateFor(node: Node, scope: object): Value {
    const body = node.body as Node[];
    this.bodies.add(body);
    try {
      return super.evaluateFor(node, scope);
    } finally {
      this.broken.delete(body);
    }
  }

  override evaluateBinaryExpression(node: Node, scope: object): Value {
    if ((node.operator as Value).value !== '~') return super.evaluateBinaryExpression(node, scope);
    const [left, right] = [node.left, node.right].map((side) => show(this.evaluate(side as Node, scope)));
    return this.text(left + right, scope);
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
