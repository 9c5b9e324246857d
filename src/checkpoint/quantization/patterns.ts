import { UnsupportedModelError } from '../../base/errors.ts';

/** Whether a pattern matches at the beginning of a name, as Python's re.match does. */
export type NamePattern = (name: string) => boolean;

/** A bit for each place in a name. */
type Places = bigint;

/** From places in a name to those behind what is matched there. */
type Step = (name: string, places: Places) => Places;

const MAX_LENGTH = 500; // of one pattern
const MAX_TOTAL = 20_000; // of all patterns of a list
const MAX_DEPTH = 8;
const MAX_REPEATS = 1000;
const SUPPORTED = `a regular expression without flags, references and look-behind, of at most ${MAX_LENGTH} characters`;
const CLASSES: Readonly<Record<string, string>> = { d: '0-9', w: 'A-Za-z0-9_', s: ' \\t\\n\\r\\f\\v' };

/** Several, which together are not so long that they take long. @throws UnsupportedModelError */
export function namePatterns(sources: readonly string[], key: string): NamePattern[] {
  if (sources.reduce((n, { length }) => n + length, 0) > MAX_TOTAL)
    throw new UnsupportedModelError(key, sources, `patterns of at most ${MAX_TOTAL} characters together`);
  return sources.map((source) => namePattern(source, key));
}

/**
 * A regular expression of Python's. All places are walked at once: it takes no longer where an engine that goes back would
 * take forever.
 * @throws UnsupportedModelError
 */
export function namePattern(source: string, key: string): NamePattern {
  const refusal = () => new UnsupportedModelError(key, source, SUPPORTED);
  if (source.length > MAX_LENGTH) throw refusal();
  let at = 0;
  let depth = 0;
  const next = (text: string): boolean => {
    if (!source.startsWith(text, at)) return false;
    at += text.length;
    return true;
  };

  function choice(): Step {
    if (depth++ === MAX_DEPTH) throw refusal();
    const branches = [sequence()];
    while (next('|')) branches.push(sequence());
    depth--;
    return (name, places) => branches.reduce((reached, branch) => reached | branch(name, places), 0n);
  }

  function sequence(): Step {
    const steps: Step[] = [];
    while (at < source.length && !/[|)]/.test(source[at])) steps.push(repeated(atom()));
    return (name, places) => steps.reduce((reached, step) => (reached ? step(name, reached) : 0n), places);
  }

  function repeated(step: Step): Step {
    const [least, most] = repeats() ?? [1, 1];
    next('?'); // what is lazy matches the same names
    if (at < source.length && '*+?'.includes(source[at])) throw refusal();
    return least === 1 && most === 1 ? step : times(step, least, most);
  }

  function repeats(): [number, number] | undefined {
    if (next('*')) return [0, MAX_REPEATS];
    if (next('+')) return [1, MAX_REPEATS];
    if (next('?')) return [0, 1];
    const braces = /^\{(\d+)(?:(,)(\d*))?\}/.exec(source.slice(at));
    if (!braces) return undefined;
    at += braces[0].length;
    const least = Number(braces[1]);
    const most = braces[3] ? Number(braces[3]) : braces[2] ? MAX_REPEATS : least;
    if (least > most || most > MAX_REPEATS) throw refusal();
    return [least, most];
  }

  function atom(): Step {
    if (next('(')) return group();
    if (next('^')) return (_, places) => places & 1n;
    if (next('$') || next('\\Z')) return (name, places) => places & (1n << BigInt(name.length));
    if (next('[')) return characters(set());
    if (next('.')) return characters(/[^\n]/);
    if (next('\\')) return escaped();
    if (/[*+?]/.test(source[at])) throw refusal();
    return literal(source[at++]);
  }

  function group(): Step {
    const isFirst = at === 1 || (at === 2 && source[0] === '^');
    const ahead = next('?=') ? true : next('?!') ? false : undefined;
    if (ahead !== undefined && !isFirst) throw refusal(); // it would have to be tried at each place by itself
    if (ahead === undefined && !next('?:')) {
      const named = /^\?P<\w+>/.exec(source.slice(at));
      if (named) at += named[0].length;
      else if (source[at] === '?') throw refusal();
    }
    const inner = choice();
    if (!next(')')) throw refusal();
    return ahead === undefined
      ? inner
      : (name, places) => ((inner(name, places) !== 0n) === ahead ? places : 0n);
  }

  function escaped(): Step {
    const letter = source[at++] ?? '';
    return /[a-z0-9]/i.test(letter) ? characters(ofClass(letter)) : literal(letter);
  }

  function ofClass(letter: string): RegExp {
    const chars = CLASSES[letter.toLowerCase()];
    if (!chars) throw refusal();
    return new RegExp(`[${letter in CLASSES ? '' : '^'}${chars}]`);
  }

  /** A set in brackets means the same in JavaScript as far as no letters are escaped in it but those of classes. */
  function set(): RegExp {
    const body = /^\^?(?:[^\]\\[]|\\[^a-zA-Z0-9]|\\[dws])+\]/.exec(source.slice(at));
    if (!body) throw refusal();
    at += body[0].length;
    try {
      return new RegExp(`[${body[0]}`);
    } catch {
      throw refusal();
    }
  }

  function literal(character: string): Step {
    if (character === '' || character === ')') throw refusal();
    return characters(new RegExp(`[${/\w/.test(character) ? '' : '\\'}${character}]`));
  }

  const pattern = choice();
  if (at < source.length) throw refusal();
  return (name) => pattern(name, 1n) !== 0n;
}

function characters(wanted: RegExp): Step {
  let last: string | undefined;
  let mask = 0n;
  return (name, places) => {
    if (name !== last) {
      mask = 0n;
      for (let place = 0; place < name.length; place++)
        if (wanted.test(name[place])) mask |= 1n << BigInt(place);
      last = name;
    }
    return (places & mask) << 1n;
  };
}

/** Ends as soon as a further round reaches nothing new. */
function times(step: Step, least: number, most: number): Step {
  return (name, places) => {
    let last = places;
    for (let n = 0; n < least; n++) {
      const further = step(name, last);
      if (further === last) break;
      last = further;
    }
    let reached = last;
    for (let n = least; n < most && last !== 0n; n++) {
      last = step(name, last) & ~reached;
      reached |= last;
    }
    return reached;
  };
}
