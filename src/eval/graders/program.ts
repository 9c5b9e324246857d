import type { Item } from '../item.ts';

/** The stop sequences of the Codex paper, and two that base models use to end an example. */
const STOP = /\n(?:class|def|#|if|print|```|@)/;
/** Code before a function: imports and comments, and then nothing or a definition; no fence. */
const LEAD =
  /^(?:[ \t]*\n|#.*\n|(?:import|from) (?:[^\n(]*\([^)]*\))?.*\n)*(?:$|(?:(?:async +)?def |class |@)(?![\s\S]*```))/;
const FUTURE = /^from __future__ import *(?:\([^)]*\)|[^\n(]*).*(?:\n|$)/gm;

/**
 * The Python program that a response makes, without the checks that follow it, and what of it is the response's; null where
 * the response has none.
 * - A response that starts with the function, after imports, comments, helper functions or what the prompt has before
 *   it, takes the function's place.
 * - A response that starts with indented code continues the prompt.
 * - Otherwise, of fenced code blocks the last one that defines the function takes its place; if none does, the last
 *   one that starts with indented code, or returns outside definitions and is then indented, continues the prompt.
 * - Otherwise the response continues the prompt.
 *
 * What takes the function's place still follows what the prompt has before the function: imports and helpers.
 * Text that was not fenced ends before the first line after the function's head that begins with one of `class`,
 * `def`, `#`, `if`, `print` (the published stop sequences of HumanEval), three backticks or `@`. Helper functions
 * after the function are lost with it, as in every evaluation with these stop sequences.
 */
export function completeProgram(
  item: Item,
  response: string,
): { completion: string; program: string } | null {
  const text = response.replaceAll('\r\n', '\n');
  const head = new RegExp(`^(?:async +)?def +${item.entryPoint}\\b`, 'm');
  const before = item.prompt.slice(0, Math.max(0, item.prompt.search(head)));
  const replace = (code: string) => finish(code, `${before}\n`, code);
  const extend = (code: string) => finish(code, item.prompt, code);

  const start = text.search(head);
  const lead = text.slice(0, Math.max(0, start));
  if (start >= 0 && (LEAD.test(lead) || lead.trim() === before.trim())) {
    return replace(lead + untilStop(text.slice(start)));
  }
  if (!startsIndented(text)) {
    const blocks = fencedBlocks(text).reverse();
    const whole = blocks.find((block) => head.test(block));
    if (whole !== undefined) return replace(whole);
    const body = blocks.find((block) => startsIndented(block) || returns(indented(block)));
    if (body !== undefined) return finish(body, item.prompt, startsIndented(body) ? body : indented(body));
  }
  return extend(untilStop(text));
}

/** Imports from `__future__`, which Python wants first, are taken out of what is before the first definition. */
function finish(code: string, before: string, rest: string): { completion: string; program: string } | null {
  if (code.trim() === '') return null;
  const futures: string[] = [];
  const end = rest.search(/^(?:async +)?(?:def|class)\b|^@/m);
  const lead = (end < 0 ? rest : rest.slice(0, end)).replace(FUTURE, (found) => {
    futures.push(`${found.trimEnd()}\n`);
    return '\n';
  });
  const program = `${futures.join('')}${before}${lead}${end < 0 ? '' : rest.slice(end)}`;
  return { completion: code.trimEnd(), program: `${program.trimEnd()}\n` };
}

function untilStop(text: string): string {
  const stop = text.search(STOP);
  return stop < 0 ? text : text.slice(0, stop);
}

/** Whether the first line that is not blank is indented like the body of HumanEval's functions, and no fence. */
function startsIndented(text: string): boolean {
  return /^(?:[ \t]*\n)*(?: {4}|\t)[ \t]*[^\s`]/.test(text);
}

/** Whether a body, indented, returns outside of the definitions in it, as only a function's does. */
function returns(body: string): boolean {
  const outside = body.replace(/^ {4}(?:(?:async +)?def|class)\b.*(?:\n(?: {5}.*|\s*$))*/gm, '');
  return /^[ \t]*(?:return|yield)\b/m.test(outside);
}

/** A body that lost its indentation, in all lines or, where it went on from the prompt's last, in the first alone. */
function indented(body: string): string {
  const width = (line: string) => /^ */.exec(line.replace(/\t/g, '    '))?.[0].length ?? 0;
  const lines = body.split('\n');
  const [first = '', ...rest] = lines.filter((line) => line.trim() !== '');
  const widths = rest.map(width);
  // In a block that the first line opens, lines are no less indented than its first, unless they are after it.
  const inBlock = /:\s*(?:#.*)?$/.test(first) && widths[0] < 8 && Math.min(...widths) === widths[0];
  const firstAlone = rest.length > 0 && Math.min(...widths) >= 4 && !inBlock;
  const common = width(first);
  const shift = (line: string) => `    ${line.slice(Math.min(common, width(line)))}`;
  return lines
    .map((line) => (line.trim() === '' || (firstAlone && line !== first) ? line : shift(line)))
    .join('\n');
}

/** Contents of the fenced blocks, less the indentation of their fence; one left open ends with the text. */
function fencedBlocks(text: string): string[] {
  const blocks: string[] = [];
  let open: { indent: number; lines: string[] } | null = null;
  for (const line of text.split('\n')) {
    const fence = /^([ \t]*)```+[ \t]*([^\s`]*)[ \t]*$/.exec(line);
    if (fence) {
      if (open) blocks.push(open.lines.join('\n'));
      // A closing fence names no language: one that does opens the next block.
      open = open && fence[2] === '' ? null : { indent: fence[1].length, lines: [] };
    } else if (open) {
      const indent = /^[ \t]*/.exec(line)?.[0].length ?? 0;
      open.lines.push(line.slice(Math.min(indent, open.indent)));
    }
  }
  if (open) blocks.push(open.lines.join('\n'));
  return blocks;
}
