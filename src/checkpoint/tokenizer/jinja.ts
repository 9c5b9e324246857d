import { Environment, Interpreter, parse, Template, tokenize } from '@huggingface/jinja';
import { capitalize, show, strip, type Value, words } from './python.ts';

// The library's declarations do not resolve in TypeScript's NodeNext: what is used of it stands here.
interface Node {
  readonly type: string;
  readonly [key: string]: unknown;
}
interface Base {
  evaluate(node: Node | undefined, scope: object): Value;
  evaluateBlock(nodes: Node[], scope: object): Value;
  evaluateFor(node: Node, scope: object): Value;
  evaluateBinaryExpression(node: Node, scope: object): Value;
  evaluateFilterExpression(node: Node, scope: object): Value;
  evaluateMemberExpression(node: Node, scope: object): Value;
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
      return super.evaluateBinaryExpression({ ...node, left: known(left), right: known(right) }, scope);
    const rest = a % b;
    const type = [left.type, right.type].includes('FloatValue') ? 'FloatLiteral' : 'IntegerLiteral';
    // The sign is the divisor's.
    return this.evaluate({ type, value: rest !== 0 && rest < 0 !== b < 0 ? rest + b : rest }, scope);
  }

  override evaluateFilterExpression(node: Node, scope: object): Value {
    const filter = node.filter as Node & { callee?: Value; args?: Node[] };
    const name = (filter.callee ?? filter).value as string;
    const operand = this.evaluate(node.operand as Node, scope);
    if (name === 'string') return this.text(show(operand), scope);
    if (operand.type === 'StringValue') {
      const text = operand.value as string;
      const args = (filter.args ?? []).map((each) => this.evaluate(each, scope));
      if (name === 'trim') return this.text(strip(text, 'both', stringOf(args[0])), scope);
      if (name === 'capitalize') return this.text(capitalize(text), scope);
      if (name === 'title') return this.text(text.replace(/[^-\s({[<]+/g, capitalize), scope);
      if (name === 'length' || name === 'count')
        return this.evaluate({ type: 'IntegerLiteral', value: [...text].length }, scope);
    }
    return super.evaluateFilterExpression({ ...node, operand: known(operand) }, scope);
  }

  override evaluateMemberExpression(node: Node, scope: object): Value {
    const object = this.evaluate(node.object as Node, scope);
    const text = object.type === 'StringValue' ? (object.value as string) : undefined;
    if (text !== undefined && node.computed) {
      // By characters, not by halves of them
      const chars = this.list([...text], scope);
      const found = super.evaluateMemberExpression({ ...node, object: known(chars) }, scope);
      return found.type === 'ArrayValue'
        ? this.text((found.value as Value[]).map(show).join(''), scope)
        : found;
    }
    const member = super.evaluateMemberExpression({ ...node, object: known(object) }, scope);
    const call = text === undefined ? undefined : METHODS[(node.property as Value).value as string];
    if (text === undefined || !call) return member;
    const value = (args: Value[], inner: object): Value => {
      const made = call(
        text,
        args.filter(({ type }) => type !== 'KeywordArgumentsValue'),
      );
      if (made === undefined) return (member.value as typeof value)(args, inner);
      return typeof made === 'string' ? this.text(made, scope) : this.list(made, scope);
    };
    return Object.assign(Object.create(Object.getPrototypeOf(member)), member, { value });
  }

  override evaluate(node: Node | undefined, scope: object): Value {
    return node?.type === KNOWN ? (node.value as Value) : super.evaluate(node, scope);
  }

  private list(texts: string[], scope: object): Value {
    const value = texts.map((each) => ({ type: 'StringLiteral', value: each }));
    return this.evaluate({ type: 'ArrayLiteral', value }, scope);
  }

  private text(value: string, scope: object): Value {
    return this.evaluate({ type: 'StringLiteral', value }, scope);
  }
}

const KNOWN = 'Known';
const known = (value: Value): Node => ({ type: KNOWN, value });
const stringOf = (value: Value | undefined) =>
  value?.type === 'StringValue' ? (value.value as string) : undefined;

/** Methods of strings that the library has otherwise than Python; undefined: it is to do it. */
const METHODS: Record<string, (text: string, args: Value[]) => string | string[] | undefined> = {
  __proto__: null as never,
  strip: (text, [chars]) => strip(text, 'both', stringOf(chars)),
  lstrip: (text, [chars]) => strip(text, 'left', stringOf(chars)),
  rstrip: (text, [chars]) => strip(text, 'right', stringOf(chars)),
  capitalize,
  title: (text) => text.replace(/\p{L}+/gu, capitalize),
  split: (text, args) => (args.length === 0 ? words(text) : undefined),
};

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
