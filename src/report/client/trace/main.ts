/** The script of a trace page. */
import type { ReplayData } from '../../trace-data.ts';
import { pageData } from '../dom.ts';
import { Answer } from './answer.ts';
import { ChainChart } from './chart.ts';
import { AnswerMap } from './map.ts';
import { ParticleStrip, showAnswers } from './odds.ts';
import { Player } from './player.ts';
import { Replay } from './replay.ts';
import { showStep } from './step.ts';
import { showSurroundings } from './surroundings.ts';
import { tellTokens } from './token-facts.ts';
import { Tooltip } from './tooltip.ts';
import { TreeView } from './tree.ts';

const replay = new Replay(pageData<ReplayData>());
showSurroundings(replay);
showAnswers(replay);

const tooltip = new Tooltip();
const answer = new Answer(replay);
tellTokens(answer, replay, tooltip);
const map = new AnswerMap(replay, answer);
const tree = new TreeView(replay, tooltip);
const particles = new ParticleStrip(replay);
const player = new Player(replay, (i) => {
  answer.show(i);
  showStep(replay, i, answer.response.length);
  map.draw(i);
  chart.show(i);
  tree.show(i);
  tooltip.tellFocused();
});
const chart = new ChainChart(replay, (step) => player.leapTo(step));

for (const choice of document.querySelectorAll<HTMLInputElement>('#shading input')) {
  choice.addEventListener('change', () =>
    answer.box.classList.toggle('by-origin', choice.value === 'origin'),
  );
}
addEventListener('scroll', () => tooltip.tellFocused());
player.go(replay.last);
tree.draw();
particles.draw();
const onResize = (element: Element, draw: () => void) => new ResizeObserver(draw).observe(element);
onResize(chart.element, () => chart.draw(player.current));
onResize(map.element, () => map.draw(player.current));
onResize(tree.box, () => tree.resize());
onResize(particles.element, () => particles.draw());
