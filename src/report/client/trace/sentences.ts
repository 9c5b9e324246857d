import { noun } from '../../format.ts';
import type { ReplayStep } from '../../trace-data.ts';
import type { Replay } from './replay.ts';

export const count = (n: number, what: string): string => `${n} ${noun(n, what)}`;

/** What step i did, in sentences. */
export function sentences(replay: Replay, i: number): string[] {
  const step = replay.steps[i];
  if (step.kind === 'hold') {
    return [
      'The block picked has no token that the model was unsure of. Nothing was drawn; the answer stays.',
    ];
  }
  if (step.kind === 'grow') return [growth(step, replay.data.eos)];
  const { cut, lengths } = step;
  if (lengths.every((length) => length === cut)) {
    return [`The answer was cut at position ${cut}; that it stays was certain before anything was written.`];
  }
  return proposal(step, replay.responseAfter(i - 1).length - cut);
}

function growth({ cut, lengths, tokens }: ReplayStep, eos: number): string {
  const written = count(tokens.length, cut === 0 ? 'token' : 'more token');
  const ended = tokens.at(-1) === eos ? ' and ended the answer' : '';
  if (lengths.length === 1) return `The model wrote ${written}${ended}.`;
  if (tokens.length === 0) return `${lengths.length} answers went on; this one had already ended.`;
  return `${lengths.length} answers grew side by side, this one by ${written}.`;
}

/** @param before tokens behind the cut */
function proposal({ cut, lengths, abandoned, outcome, tokens }: ReplayStep, before: number): string[] {
  const one = lengths.length === 1;
  const written = one ? 'a new ending was' : `${lengths.length} new endings were`;
  const said = [`The answer was cut at position ${cut}, and ${written} written from there.`];
  const given = abandoned.filter(Boolean).length;
  if (given > 0) {
    const they = given === 1 ? 'One was' : `${given} were`;
    said.push(`${they} given up early: the outcome was already certain.`);
  }
  if (outcome < 0) said.push(`${one ? 'It was rejected' : 'None was accepted'}; the answer stays.`);
  else {
    const taken = one ? 'It' : `Ending ${outcome + 1}`;
    said.push(`${taken} was accepted and replaced ${count(before, 'token')} by ${tokens.length}.`);
  }
  return said;
}

/** How the distributions of the tokens that a step put in place were come by. */
export function originsOf({ tokens, origins }: ReplayStep, drawsAhead: boolean): string {
  if (tokens.length === 0) return '';
  const [free, computed, drafted] = [0, 1, 2].map(
    (kind) => origins.filter((origin) => origin === kind).length,
  );
  const guessed = drawsAhead ? 'drawn ahead' : 'drafted';
  return `Of its ${count(tokens.length, 'token')}, ${computed} computed, ${drafted} ${guessed}, ${free} free.`;
}

export function costsOf({ kind, drawn, computed, drafted, passes }: ReplayStep, drawsAhead: boolean): string {
  if (kind === 'hold') return '';
  const guessed = drafted > 0 ? `, ${drafted} of them ${drawsAhead ? 'ahead' : 'drafted'},` : '';
  return `The whole step drew ${count(drawn, 'token')} and computed ${count(computed, 'row')}${guessed} in ${passes} ${noun(passes, 'pass', 'passes')}.`;
}
