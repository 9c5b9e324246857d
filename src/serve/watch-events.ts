import type { Answer } from '../api/generate.ts';
import type { StateEvent, StreamEvent } from '../api/stream.ts';
import type { WatchEvent, WatchPiece, WatchState } from '../report/watch-data.ts';
import type { Account } from '../sampling/sample.ts';
import { type Visit, visitsAfter } from '../sampling/visits.ts';

/** Answers that the page is told of in one event: those of most weight. */
const MOST_VISITS = 32;
/** Milliseconds between two states: the eye sees no more, and they take from the model's time. */
const APART = 200;

/** What the page is told of a run. @param traceOf gives the address of the page that replays it */
export async function* watchEvents(
  events: AsyncIterable<StreamEvent>,
  textOf: (token: number) => string,
  traceOf: (answer: Answer, seconds: number) => string,
): AsyncGenerator<WatchEvent> {
  const began = performance.now();
  const told = new Set<number>();
  const piece = (token: number, entropy: number): WatchPiece => [textOf(token), rounded(entropy)];
  const answersIn = (visits: readonly Visit[]): Pick<WatchState, 'visits' | 'texts'> => {
    const heaviest = [...visits].sort((a, b) => b.weight - a.weight).slice(0, MOST_VISITS);
    const texts: Record<number, string> = {};
    for (const { tokens } of heaviest) {
      for (const token of tokens) {
        if (told.has(token)) continue;
        told.add(token);
        texts[token] = textOf(token);
      }
    }
    return {
      visits: heaviest.map(({ tokens, logProbability, weight }) => ({
        tokens: [...tokens],
        logp: rounded(logProbability),
        weight: rounded(weight),
      })),
      texts,
    };
  };
  const stateOf = (state: StateEvent): WatchEvent => ({
    type: 'state',
    pieces: [...state.tokens].map((token, i) => piece(token, state.entropy[i])),
    logProbability: rounded(state.logProbability),
    done: state.steps > 0 ? state.step / state.steps : 0,
    account: accountOf(state.account),
    answers: state.answers ?? [],
    ...answersIn(state.visits),
  });
  for await (const event of events) {
    if (event.type === 'token') {
      const { token, entropy, logProbability } = event;
      yield { type: 'token', piece: piece(token, entropy), logProbability: rounded(logProbability) };
    } else if (event.type === 'state') {
      yield stateOf(event);
      await new Promise((resolve) => setTimeout(resolve, APART)); // the newest is taken next
    } else {
      const { answer } = event;
      const { picked } = answer;
      const seconds = (performance.now() - began) / 1000;
      const entropies = entropiesOf(answer);
      yield {
        type: 'end',
        seconds,
        trace: traceOf(answer, seconds),
        pieces: [...picked.tokens].map((token, i) => piece(token, entropies[i])),
        logProbability: rounded(picked.logProbability),
        done: 1,
        account: accountOf(answer.account),
        answers: answer.answers ?? [],
        ...answersIn(visitsAfter(answer.visited)),
      };
    }
  }
}

/** Of the tokens of the answer that was picked. */
function entropiesOf({ picked, visited, tokens, entropy }: Answer): Float64Array {
  const key = picked.tokens.join();
  if (tokens.join() === key) return entropy;
  const all = [...visited.particles, ...visited.states.flat()];
  return all.find(({ response }) => response.tokens.join() === key)?.response.entropy ?? entropy;
}

function accountOf({ drawnTokens, computedRows, sequentialPasses, proposed, accepted }: Account) {
  const rows: [string, string][] = [
    ['drawn', `${drawnTokens} tokens`],
    ['computed', String(computedRows)],
    ['passes', String(sequentialPasses)],
  ];
  if (proposed > 0) rows.push(['accepted', `${accepted} of ${proposed}`]);
  return rows;
}

const rounded = (value: number): number => Number(value.toPrecision(5));
