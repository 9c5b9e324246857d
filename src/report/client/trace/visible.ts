import { element } from '../dom.ts';

/** Text with what is invisible marked. The marks are the style sheet's, so that copying the text leaves them behind. */
export function show(target: HTMLElement, text: string): void {
  target.textContent = '';
  for (const part of text.split(/([\p{Cc}\p{Zl}\p{Zp}]|(?![\u200c\u200d])\p{Cf})/u)) {
    if (!/^[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]$/u.test(part)) {
      target.append(part);
      continue;
    }
    // Other controls stay out of the document: some would turn the rest of the line round.
    const kept = part === '\n' || part === '\t';
    const mark = kept ? element('i', '', part) : element('i', 'control');
    mark.dataset.mark = nameOf(part);
    target.append(mark);
  }
}

function nameOf(control: string): string {
  if (control === '\n') return '↵';
  if (control === '\t') return '→';
  const code = control.codePointAt(0) as number;
  return `U+${code.toString(16).toUpperCase().padStart(4, '0')}`;
}

/** Text on one line: what would break it is marked. */
export const onOneLine = (text: string): string =>
  text.replace(/\n/g, '↵').replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '·');
