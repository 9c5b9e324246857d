import { fixed } from '../../format.ts';
import type { Answer } from './answer.ts';
import { probability } from './format.ts';
import type { Replay } from './replay.ts';
import type { Tooltip } from './tooltip.ts';

/** Tells about the token that the pointer or the focus is on; the arrow keys move from token to token. */
export function tellTokens(answer: Answer, replay: Replay, tooltip: Tooltip): void {
  const { box } = answer;
  const tokenOf = (event: Event): HTMLElement | null => (event.target as Element).closest('.token');
  const tell = (token: HTMLElement) => {
    const at = Number(token.dataset.at);
    tooltip.tell(token, textOf(replay, answer.response[at].token), factsOf(answer, replay, at));
  };
  tooltip.addTeller((focused) => {
    const own = box.contains(focused);
    if (own) tell(focused as HTMLElement);
    return own;
  });
  box.addEventListener('pointerover', (event) => {
    const token = tokenOf(event);
    if (token) tell(token);
  });
  box.addEventListener('pointerleave', () => tooltip.tellFocused());
  box.addEventListener('focusin', (event) => {
    const token = tokenOf(event);
    if (!token) return;
    answer.moveTabStop(Number(token.dataset.at));
    tell(token);
  });
  box.addEventListener('focusout', () => tooltip.hide());
  box.addEventListener('keydown', ({ key }) => {
    if (key === 'Escape') tooltip.hide();
    const move = { ArrowLeft: -1, ArrowRight: 1 }[key];
    if (move) answer.step(move);
  });
}

const textOf = ({ data: { eos, texts, ids } }: Replay, token: number): string =>
  token === eos ? 'end of the answer' : texts[token] || `token ${ids[token]}`;

function factsOf(answer: Answer, replay: Replay, at: number): [name: string, value: string][] {
  const { logp, entropy, origin, step } = answer.response[at];
  const { cuts, accepted } = answer.cuts.get(at) ?? { cuts: 0, accepted: 0 };
  const ahead = replay.data.drawsAhead ? 'ahead, on the GPU' : 'as a draft, before it was asked for';
  return [
    ['probability', probability(logp)],
    ['entropy', entropy < 0.0005 ? 'below 0.001 nats' : `${fixed(entropy, 3)} nats`],
    ['position', String(at)],
    ['computed', ['no: known already', 'yes: the run waited', ahead][origin]],
    ['last drawn in', replay.placeOf(step)],
    ['cuts here', cuts === 0 ? 'none' : `${cuts}, ${accepted} accepted`],
  ];
}
