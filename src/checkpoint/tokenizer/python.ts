/** A value of the template engine. */
export interface Value {
  readonly type: string;
  readonly value: unknown;
  toString(): string;
}

/** Python's str. */
export function show(value: Value): string {
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

const SPACE = String.raw`[\p{White_Space}\x1c-\x1f]`;
const SPACES = new RegExp(`${SPACE}+`, 'u');
const isSpace = (char: string) => SPACES.test(char);

/** str.strip of one side or both; `chars` are what is taken away in place of spaces. */
export function strip(text: string, sides: 'both' | 'left' | 'right', chars?: string): string {
  const all = [...text];
  const gone = chars === undefined ? isSpace : (char: string) => chars.includes(char);
  let begin = 0;
  let end = all.length;
  if (sides !== 'right') while (begin < end && gone(all[begin])) begin++;
  if (sides !== 'left') while (end > begin && gone(all[end - 1])) end--;
  return all.slice(begin, end).join('');
}

/** str.split without arguments. */
export const words = (text: string): string[] => text.split(SPACES).filter(Boolean);

export function capitalize(text: string): string {
  const [first = '', ...rest] = text;
  return first.toUpperCase() + rest.join('').toLowerCase();
}
