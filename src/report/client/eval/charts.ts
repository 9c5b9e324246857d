import type { Chart as ChartClass } from 'chart.js';
import type { Summary } from '../../../eval/summary.ts';
import { element, find } from '../dom.ts';
import { Chart } from './chart-look.ts';
import { COSTS, type Cost, dotsOf } from './costs.ts';
import { drawFrontier } from './frontier-chart.ts';
import { drawLengths, showLengths } from './lengths.ts';
import { icon } from './names.ts';
import type { Samplers } from './samplers.ts';

/** Draws all charts, and once more when another cost is chosen or the colours change. */
export function showCharts(summary: Summary, samplers: Samplers): void {
  const costs = COSTS.filter((cost) => dotsOf(samplers.all, cost).length > 0);
  const chosen = costChoice(costs);
  find('frontier-section').hidden = costs.length === 0;
  if (costs.length > 0) showLegend(samplers);
  showLengths(samplers);

  const drawn: ChartClass[] = [];
  const draw = () => {
    for (const chart of drawn.splice(0)) chart.destroy();
    Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
    Chart.defaults.font.size = 12;
    const cost = chosen();
    const canvas = find<HTMLCanvasElement>('frontier');
    if (cost) drawn.push(drawFrontier(canvas, cost, samplers, summary.run.samples));
    drawn.push(...drawLengths(summary, samplers));
  };
  find('costs').addEventListener('change', draw);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
  draw();
}

/** @returns says which is chosen, if there is any */
function costChoice(costs: readonly Cost[]): () => Cost | undefined {
  const inputs = costs.map(({ name }, i) => {
    const input = element('input');
    input.type = 'radio';
    input.name = 'cost';
    input.checked = i === 0;
    find('costs').append(element('label', '', input, name));
    return input;
  });
  return () => costs[inputs.findIndex(({ checked }) => checked)];
}

function showLegend(samplers: Samplers): void {
  find('legend').append(
    ...samplers.families.map((family) => {
      const own = samplers.membersOf(family);
      const name = own.length === 1 ? samplers.all[own[0]].name : family;
      const letters = own.map((i) => samplers.letters[i]).join(', ');
      return element('li', '', icon(samplers, family), `${letters}: ${name}`);
    }),
    element('li', '', element('i', 'dashes'), 'frontier'),
  );
}
