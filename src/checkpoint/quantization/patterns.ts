import { UnsupportedModelError } from '../../base/errors.ts';

/** Whether a pattern matches at the beginning of a name, as Python's re.match does. */
export type NamePattern = (name: string) => boolean;

/** From places in a name to those behind what is matched there; of several places, what each of them leads to. */
type Step = (name: string, places: ReadonlySet<number>) => ReadonlySet<number>;

const MAX_LENGTH = 1000;
const MAX_REPEATS = 1000;
const SUPPORTED = 'a regular expression without flags and references, of at most 1000 characters';
const CLASSES: Readonly<Record<string, string>> = { d: '0-9', w: 'A-Za-z0-9_', s: ' \\t\\n\\r\\f\\v' };

/** A regular expression of Python's, walked in time that no pattern can make long. @throws UnsupportedModelError */
export function namePattern(source: string, key: string): NamePattern {
  const refusal = () => new UnsupportedModelError(key, source, SUPPORTED);
  if (source.length > MAX_LENGTH) throw refusal();
  let at = 0;
  const next = (text: string): boolean => {
    if (!source.startsWith(text, at)) return false;
    at += text.length;
    return true;
  };

  function choice(): Step {
    const branches = [sequence()];
    while (next('|')) branches.push(sequence());
    return (name, places) => new Set(branches.flatMap((branch) => [...branch(name, places)]));
  }

  function sequence(): Step {
    const steps: Step[] = [];
    while (at < source.length && !/[|)]/.test(source[at])) steps.push(repeated(atom()));
    return (name, places) => steps.reduce((reached, step) => step(name, reached), places);
  }

  function repeated(step: Step): Step {
    const [least, most] = repeats() ?? [1, 1];
    next('?'); // what is lazy matches the same names
    if (at < source.length && '*+?'.includes(source[at])) throw refusal();
    return least === 1 && most === 1 ? step : remembered(times(step, least, most));
  }

  function repeats(): [number, number] | undefined {
    if (next('*')) return [0, MAX_REPEATS];
    if (next('+')) return [1, MAX_REPEATS];
    if (next('?')) return [0, 1];
    const braces = /^\{(\d*)(,?)(\d*)\}/.exec(source.slice(at));
    if (!braces || braces[0] === '{}' || braces[0] === '{,}') return undefined;
    at += braces[0].length;
    const [, least, comma, most] = braces;
    const range: [number, number] = [
      Number(least),
      most ? Number(most) : comma ? MAX_REPEATS : Number(least),
    ];
    if (range[0] > range[1] || range[1] > MAX_REPEATS) throw refusal();
    return range;
  }

  function atom(): Step {
    if (next('(')) return group();
    if (next('^')) return (_, places) => new Set([...places].filter((place) => place === 0));
    if (next('$')) return (name, places) => new Set([...places].filter((place) => place === name.length));
    if (next('[')) return characters(set());
    if (next('.')) return characters(/[^\n]/);
    if (next('\\')) return escaped();
    if (/[*+?]/.test(source[at])) throw refusal();
    return literal(source[at++]);
  }

  function group(): Step {
    const ahead = next('?=') ? true : next('?!') ? false : undefined;
    if (ahead === undefined && !next('?:')) {
      const named = /^\?P<\w+>/.exec(source.slice(at));
      if (named) at += named[0].length;
      else if (source[at] === '?') throw refusal();
    }
    const inner = remembered(choice());
    if (!next(')')) throw refusal();
    if (ahead === undefined) return inner;
    return (name, places) =>
      new Set([...places].filter((place) => inner(name, new Set([place])).size > 0 === ahead));
  }

  function escaped(): Step {
    const letter = source[at++] ?? '';
    if (letter === 'Z')
      return (name, places) => new Set([...places].filter((place) => place === name.length));
    return /[a-z]/i.test(letter) ? characters(ofClass(letter)) : literal(letter);
  }

  function ofClass(letter: string): RegExp {
    const chars = CLASSES[letter.toLowerCase()];
    if (!chars) throw refusal();
    return new RegExp(`[${letter in CLASSES ? '' : '^'}${chars}]`);
  }

  /** A set in brackets is the same in JavaScript as far as it has no letters escaped but those of classes. */
  function set(): RegExp {
    const body = /^\^?\]?(?:[^\]\\[]|\\[^a-zA-Z0-9]|\\[dws])*\]/.exec(source.slice(at));
    if (!body || /^\^?\]/.test(body[0])) throw refusal();
    at += body[0].length;
    try {
      return new RegExp(`[${body[0]}`);
    } catch {
      throw refusal();
    }
  }

  function literal(character: string): Step {
    if (character === '' || character === ')') throw refusal();
    return (name, places) => moved(places, (place) => name[place] === character);
  }

  const pattern = choice();
  if (at < source.length) throw refusal();
  return (name) => pattern(name, new Set([0])).size > 0;
}

function characters(wanted: RegExp): Step {
  return (name, places) => moved(places, (place) => place < name.length && wanted.test(name[place]));
}

function moved(places: ReadonlySet<number>, matches: (place: number) => boolean): Set<number> {
  return new Set([...places].filter(matches).map((place) => place + 1));
}

/** Ends as soon as a further round reaches nothing new. */
function times(step: Step, least: number, most: number): Step {
  return (name, places) => {
    let last = places;
    for (let n = 0; n < least; n++) {
      const next = step(name, last);
      if (next.size === last.size && [...next].every((place) => last.has(place))) break;
      last = next;
    }
    const reached = new Set(last);
    for (let n = least; n < most && last.size > 0; n++) {
      last = new Set([...step(name, last)].filter((place) => !reached.has(place)));
      for (const place of last) reached.add(place);
    }
    return reached;
  };
}

/** Goes from each place of a name once, however deep what is repeated is nested. */
function remembered(step: Step): Step {
  let last: string | undefined;
  let from = new Map<number, ReadonlySet<number>>();
  return (name, places) => {
    if (name !== last) from = new Map();
    last = name;
    const reached = new Set<number>();
    for (const place of places) {
      const there = from.get(place) ?? step(name, new Set([place]));
      from.set(place, there);
      for (const each of there) reached.add(each);
    }
    return reached;
  };
}
