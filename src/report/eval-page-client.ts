import type { Chart as ChartClass, ChartDataset, Plugin, PointStyle } from 'chart.js';
import type { Verdict } from '../eval/item.ts';
import type { SamplerSummary, Summary } from '../eval/summary.ts';

/** What an evaluation page's script is given. */
export interface EvalData {
  summary: Summary;
  /** What was found, in sentences. */
  findings: string[];
  items: ItemData[];
}

export interface ItemData {
  id: string;
  prompt: string;
  answer: string;
  texts: TextData[];
  /** By sampler and pick, in the order of the summary, and by number of the run; null: not there yet. */
  responses: (ResponseData | null)[][];
}

/** The end of a response, and how many characters before it were left out. */
export interface TextData {
  text: string;
  left: number;
}

export interface ResponseData {
  verdict: Verdict;
  answer: string | null;
  /** Index into the item's texts. */
  text: number;
  tokens: number;
  finish: 'eos' | 'length' | null;
  logp: number | null;
  mass: number | null;
  /** Of its run; null: not known. */
  costs: [drawnTokens: number, computedRows: number, sequentialPasses: number] | null;
  proposed: number;
  accepted: number;
  /** Address of its trace page. */
  trace?: string;
}

/**
 * The script of an evaluation page. Its source text is what the page holds, so it refers to nothing outside of itself and the
 * browser. Whatever comes from the run enters the document as text, never as markup.
 */
export function showEval(data: EvalData, Chart: typeof ChartClass): void {
  type Cost = 'sequentialPasses' | 'computedRows' | 'wallSeconds';
  interface Dot {
    x: number;
    y: number;
    /** Index of the sampler. */
    sampler: number;
  }

  const { summary, items } = data;
  const { run, samplers } = summary;
  const several = run.samples > 1;

  // The document.

  const find = <E extends Element = HTMLElement>(id: string): E =>
    document.getElementById(id) as unknown as E;

  function element<K extends keyof HTMLElementTagNameMap>(
    name: K,
    className = '',
    ...content: (string | Node)[]
  ): HTMLElementTagNameMap[K] {
    const made = document.createElement(name);
    if (className) made.className = className;
    made.append(...content);
    return made;
  }

  function definitions(target: Element, rows: readonly (readonly [string, string])[]): void {
    for (const [name, value] of rows) {
      target.append(element('div', '', element('dt', '', name), element('dd', '', value)));
    }
  }

  function options(
    target: HTMLSelectElement,
    choices: readonly (readonly [value: string, text: string])[],
  ): void {
    for (const [value, text] of choices) target.append(new Option(text, value));
  }

  // Numbers.

  const minus = (text: string): string => text.replace('-', '−');
  const grouped = (digits: string): string => digits.replace(/\B(?=(\d{3})+$)/g, '\u2009');
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
  const bounds = ([low, high]: readonly [number, number]): string =>
    `[${minus((100 * low).toFixed(1))}, ${minus((100 * high).toFixed(1))}]`;
  const signed = (share: number): string => `${share > 0 ? '+' : ''}${minus((100 * share).toFixed(1))}`;
  const chance = (p: number): string => (p < 0.001 ? '< 0.001' : p.toFixed(3));
  const count = (n: number, what: string, many = `${what}s`): string =>
    `${grouped(String(n))} ${n === 1 ? what : many}`;

  /** Three digits, or all of a whole part. */
  function amount(value: number | null): string {
    if (value === null) return '–';
    return value >= 100 ? grouped(String(Math.round(value))) : minus(String(Number(value.toPrecision(3))));
  }

  // Samplers and their picks: a letter each, a shape for each family, and a colour that picks have in common.

  const letters = samplers.map(
    (_, i) =>
      (i < 26 ? '' : String.fromCharCode(64 + Math.floor(i / 26))) + String.fromCharCode(65 + (i % 26)),
  );
  const familyOf = ({ family }: SamplerSummary): string => family;
  const families = [...new Set(samplers.map(familyOf))];
  const membersOf = (family: string): number[] =>
    samplers.flatMap((sampler, i) => (familyOf(sampler) === family ? [i] : []));

  /** Each drawn around 0, 0, within 6, as Chart.js draws the point style. */
  const SHAPES: [style: PointStyle, path: string, rotation?: number][] = [
    ['circle', 'M-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0Z'],
    ['triangle', 'M0-5.5 5.2 4H-5.2Z'],
    ['rect', 'M-4.2-4.2H4.2V4.2H-4.2Z'],
    ['rectRot', 'M0-5.6 5.6 0 0 5.6-5.6 0Z'],
    ['triangle', 'M0 5.5 5.2-4H-5.2Z', 180],
    ['crossRot', 'M-4-4 4 4M4-4-4 4'],
    ['star', 'M-4-4 4 4M4-4-4 4M0-5.5V5.5M-5.5 0H5.5'],
    ['cross', 'M0-5.5V5.5M-5.5 0H5.5'],
  ];
  const PICKS = ['last', 'likeliest', 'vote'] as const;
  /** Of the last states, whose picks go by other shapes. */
  const baseOf = (family: string): string => family.replace(/ · (likeliest|vote)$/, '');
  const bases = [...new Set(families.map(baseOf))];
  const lookOf = (family: string) => {
    const i = bases.indexOf(baseOf(family));
    const [own] = membersOf(family);
    // With more than eight families the pairings change, so that no two look alike before the 64th, or the 25th where there are picks.
    const shape = i + Math.floor(i / 8) + 3 * PICKS.indexOf(samplers[own].pick);
    return { color: `--c${i % 8}`, shape: SHAPES[shape % 8] };
  };

  function icon(family: string): SVGElement {
    const { color, shape } = lookOf(family);
    const make = (name: string, attributes: Record<string, string>) => {
      const made = document.createElementNS('http://www.w3.org/2000/svg', name);
      for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
      return made;
    };
    const made = make('svg', { viewBox: '-6 -6 12 12', class: 'icon', 'aria-hidden': 'true' });
    const path = make('path', { d: shape[1], 'stroke-width': '2.4' });
    path.style.fill = path.style.stroke = `var(${color})`;
    made.append(path);
    return made;
  }

  /** A sampler's name, which may wrap behind a colon. */
  function nameOf(i: number): HTMLElement {
    const parts = samplers[i].name.split(/(?<=:)/);
    const text = element(
      'span',
      '',
      ...parts.flatMap((part, at) => (at > 0 ? [element('wbr'), part] : [part])),
    );
    return element('span', 'name', icon(familyOf(samplers[i])), element('b', '', letters[i]), text);
  }

  /** What sets a sampler apart within its family. */
  function shortName(i: number): string {
    const { name } = samplers[i];
    const partsOf = (name: string) => name.split(':').slice(1);
    const others = membersOf(familyOf(samplers[i])).filter((other) => samplers[other].name.includes(':'));
    const own = partsOf(name).filter(
      (part) => !others.every((o) => partsOf(samplers[o].name).includes(part)),
    );
    const text = others.length > 1 && name.includes(':') && own.length > 0 ? own.join(':') : name;
    return text.length > 24 ? `${text.slice(0, 23)}…` : text;
  }

  const COSTS: [cost: Cost, name: string, onFrontier: (summary: SamplerSummary) => boolean][] = [
    ['sequentialPasses', 'sequential passes', ({ frontier }) => frontier.passes],
    ['computedRows', 'computed rows', ({ frontier }) => frontier.rows],
    ['wallSeconds', 'wall seconds', ({ frontier }) => frontier.wall],
  ];

  // Head.

  document.title = `${run.task}: evaluation`;
  find('title').textContent = `Accuracy on ${run.task}`;
  definitions(find('facts'), [
    ['model', run.model],
    ['items', grouped(String(run.items))],
    ['runs an item', String(run.samples)],
    ['prompts', run.promptStyle],
    ['seed', run.seed],
    ['adapter', run.adapters.join('; ')],
    ['chains side by side', run.concurrency.join(', ')],
    ...Object.entries(run.versions),
  ]);
  find('findings').append(
    ...data.findings.map((text, i) => element('p', i === 0 && !summary.complete ? 'warning' : '', text)),
  );

  // Tables.

  function track(low: number, high: number, at: number, zero?: number): HTMLElement {
    const place = (className: string, from: number, width?: number) => {
      const made = element('i', className);
      made.style.left = `${(100 * from).toFixed(2)}%`;
      if (width !== undefined) made.style.width = `${(100 * width).toFixed(2)}%`;
      return made;
    };
    const made = element('span', 'track', place('span', low, high - low));
    if (zero !== undefined) made.append(place('zero', zero));
    made.append(place('at', at));
    made.setAttribute('aria-hidden', 'true');
    return made;
  }

  function rangeCell(value: number | null, interval: readonly [number, number] | null): HTMLElement {
    if (value === null || interval === null) return element('td', '', '–');
    const numbers = element('span', '', percent(value), element('small', '', bounds(interval)));
    return element('td', '', element('div', 'range', track(interval[0], interval[1], value), numbers));
  }

  interface Column {
    title: string;
    cell(summary: SamplerSummary): HTMLElement;
  }

  function samplerColumns(): Column[] {
    const plain = (title: string, pick: (one: SamplerSummary) => number | null): Column => ({
      title,
      cell: (one) => element('td', '', amount(pick(one))),
    });
    const share = (title: string, pick: (one: SamplerSummary) => number | null): Column => ({
      title,
      cell: (one) => {
        const value = pick(one);
        return element('td', '', value === null ? '–' : percent(value));
      },
    });
    /** Counted where there are any. */
    const counted = (title: string, pick: (one: SamplerSummary) => number | null): Column[] =>
      samplers.some((one) => (pick(one) ?? 0) > 0) ? [plain(title, pick)] : [];
    /** Where there is any. */
    const estimate = (title: string, pick: (one: SamplerSummary) => number | null): Column[] =>
      samplers.some((one) => pick(one) !== null) ? [share(title, pick)] : [];
    const costs = COSTS.filter(([cost]) => samplers.some((one) => one[cost] !== null)).map(
      ([cost, title, onFrontier]): Column => ({
        title,
        cell: (one) => element('td', onFrontier(one) ? 'on-frontier' : '', amount(one[cost])),
      }),
    );
    const passAt = samplers.find((one) => one.passAt.length > 0)?.passAt ?? [];
    return [
      // Where it says what the head of the page does not.
      ...(samplers.some(({ items }) => items !== run.items) ? [plain('graded', ({ items }) => items)] : []),
      {
        title: several ? 'accuracy (pass@1)' : 'accuracy',
        cell: (one) => rangeCell(one.accuracy, one.interval),
      },
      ...(several
        ? [
            {
              title: 'majority vote',
              cell: ({ majority }: SamplerSummary) =>
                rangeCell(majority?.accuracy ?? null, majority?.interval ?? null),
            },
          ]
        : []),
      ...passAt
        .filter(({ k }) => k > 1)
        .map(({ k }) => share(`pass@${k}`, (one) => one.passAt.find((pass) => pass.k === k)?.value ?? null)),
      ...estimate('mass of right answers', ({ mass }) => mass),
      ...estimate('right over the final steps', ({ overSteps }) => overSteps),
      ...counted('drawn tokens', ({ drawnTokens }) => drawnTokens),
      ...costs,
      ...counted('drafted rows', ({ draftedRows }) => draftedRows),
      ...counted('drafts used', ({ usedDrafts }) => usedDrafts),
      plain('length', ({ length }) => length),
      plain('log p', ({ logp }) => logp),
      share('accepted', ({ acceptance }) => acceptance),
      plain('no answer', ({ noAnswer }) => noAnswer),
      ...counted('timed out', ({ timedOut }) => timedOut),
      ...counted('too long', ({ tooLong }) => tooLong),
      share('cut at the limit', ({ cutAtHorizon }) => cutAtHorizon),
    ];
  }

  function fillHead(table: HTMLElement, titles: readonly string[]): void {
    const cells = titles.map((title) => {
      // Above a bar.
      const cell = element('th', /accuracy|majority/.test(title) ? 'start' : '', title);
      cell.scope = 'col';
      return cell;
    });
    (table.querySelector('thead') as Element).replaceChildren(element('tr', '', ...cells));
  }

  function row(i: number, ...cells: HTMLElement[]): HTMLElement {
    const head = element('th', '', nameOf(i));
    head.scope = 'row';
    return element('tr', '', head, ...cells);
  }

  function fillSamplers(): void {
    const columns = samplerColumns();
    const table = find('samplers');
    const most = Math.max(...samplers.map(({ accuracy }) => accuracy ?? 0));
    fillHead(table, ['sampler', ...columns.map(({ title }) => title)]);
    (table.querySelector('tbody') as Element).append(
      ...samplers.map((one, i) => {
        const made = row(i, ...columns.map(({ cell }) => cell(one)));
        if (one.accuracy !== null && one.accuracy === most) made.classList.add('best');
        return made;
      }),
    );
    const picks =
      'A sampler’s own row is of the last states of its runs, which alone are samples; “likeliest” is of the likeliest response that each run has come by, “vote” of the likeliest with its most probable answer, both at no further cost. The mass of right answers is the run’s own estimate of how probable these are under p^α. ';
    find('samplers-note').textContent =
      `Accuracy in per cent with its 95 % interval (Wilson). ${samplers.some(({ pick }) => pick !== 'last') ? picks : ''}Costs, length and log p, in nats, are means a response. Drawn tokens are those of all candidates, found again or computed; computed rows are the tokens that went through the model, guesses included; wall seconds are those at the concurrency of the run, each moment shared among the chains that ran. ◆ marks the frontier: no other is at least as accurate for the same cost or less.`;
  }

  // The chart of accuracy against cost.

  const canvas = find<HTMLCanvasElement>('frontier');
  const costs = find('costs');
  const color = (name: string): string =>
    getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const drawn: ChartClass[] = [];

  function dotsOf(cost: Cost): Dot[] {
    return samplers
      .flatMap((one, i): Dot[] => {
        const x = one[cost];
        return x === null || x <= 0 || one.accuracy === null
          ? []
          : [{ x, y: 100 * one.accuracy, sampler: i }];
      })
      .sort((a, b) => a.x - b.x);
  }

  /** 1, 2 and 5 times powers of ten; twice as dense where these are few. */
  function ticks(low: number, high: number): number[] {
    const between = (steps: readonly number[]) => {
      const found: number[] = [];
      for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
        for (const step of steps) found.push(Number((step * 10 ** power).toPrecision(3)));
      }
      return found.filter((tick) => tick >= low && tick <= high);
    };
    const coarse = between([1, 2, 5]);
    return coarse.length >= 3 ? coarse : between([1, 1.5, 2, 3, 4, 5, 6, 8]);
  }

  const intervalOf = ({ sampler }: Dot): [number, number] => {
    const [low, high] = samplers[sampler].interval as [number, number];
    return [100 * low, 100 * high];
  };

  /** The 95 % intervals, beneath the points. */
  const errorBars: Plugin = {
    id: 'errorBars',
    beforeDatasetsDraw({ ctx, scales, data }) {
      ctx.save();
      ctx.lineWidth = 1.5;
      ctx.globalAlpha = 0.55;
      for (const dataset of data.datasets) {
        ctx.strokeStyle = dataset.borderColor as string;
        for (const dot of dataset.data as unknown as Dot[]) {
          if (dot.sampler < 0) continue;
          const x = scales.x.getPixelForValue(dot.x);
          const [bottom, top] = intervalOf(dot).map((value) => scales.y.getPixelForValue(value));
          ctx.beginPath();
          ctx.moveTo(x, bottom);
          ctx.lineTo(x, top);
          for (const end of [bottom, top]) {
            ctx.moveTo(x - 3, end);
            ctx.lineTo(x + 3, end);
          }
          ctx.stroke();
        }
      }
      ctx.restore();
    },
  };

  /** Names beside the points where there is room, else letters. */
  const labels: Plugin = {
    id: 'labels',
    afterDatasetsDraw({ ctx, scales, data, chartArea }) {
      const points = data.datasets.map((dataset) =>
        (dataset.data as unknown as Dot[]).map((dot) => ({
          dot,
          x: scales.x.getPixelForValue(dot.x),
          y: scales.y.getPixelForValue(dot.y),
        })),
      );
      const frontier = points.pop() ?? [];
      type Box = [left: number, top: number, right: number, bottom: number];
      const taken = points.flat().flatMap(({ dot, x, y }): Box[] => {
        const [bottom, top] = intervalOf(dot).map((value) => scales.y.getPixelForValue(value));
        return [
          [x - 8, y - 8, x + 8, y + 8],
          [x - 3, top, x + 3, bottom],
        ];
      });
      for (const [i, { x, y }] of frontier.slice(1).entries()) {
        taken.push(
          [frontier[i].x, frontier[i].y - 1, x, frontier[i].y + 1],
          [x - 1, y, x + 1, frontier[i].y],
        );
      }
      const isFree = ([left, top, right, bottom]: Box) =>
        left >= chartArea.left &&
        right <= chartArea.right &&
        top >= chartArea.top &&
        bottom <= chartArea.bottom &&
        taken.every((box) => left >= box[2] || right <= box[0] || top >= box[3] || bottom <= box[1]);
      const place = (x: number, y: number, text: string): boolean => {
        const { width } = ctx.measureText(text);
        for (const up of [0, -11, 11, -18, 18]) {
          for (const left of [x + 10, x - 10 - width]) {
            const box: Box = [left, y + up - 7, left + width, y + up + 7];
            if (!isFree(box)) continue;
            taken.push(box);
            ctx.strokeText(text, left, y + up);
            ctx.fillText(text, left, y + up);
            return true;
          }
        }
        return false;
      };
      ctx.save();
      ctx.font = `12px ${Chart.defaults.font.family}`;
      ctx.fillStyle = color('--ink');
      // A rim of the ground's colour parts a label from the lines that it crosses.
      ctx.strokeStyle = color('--card');
      ctx.lineWidth = 4;
      ctx.lineJoin = 'round';
      ctx.textBaseline = 'middle';
      for (const { dot, x, y } of points.flat()) {
        const letter = letters[dot.sampler];
        const named = chartArea.width >= 480 && place(x, y, `${letter} ${shortName(dot.sampler)}`);
        if (!named) place(x, y, letter);
      }
      ctx.restore();
    },
  };

  /** How accurate one can be at a cost: up with each sampler on the frontier, and on to the chart's edge. */
  function frontierOf(dots: readonly Dot[], cost: Cost, edge: number): Dot[] {
    const onFrontier = (COSTS.find(([name]) => name === cost) as (typeof COSTS)[number])[2];
    const points = dots
      .filter(({ sampler }) => onFrontier(samplers[sampler]))
      .map((dot) => ({ ...dot, sampler: -1 }));
    const last = points.at(-1);
    return last ? [...points, { ...last, x: edge }] : [];
  }

  function familyDataset(family: string, dots: readonly Dot[]): ChartDataset<'scatter'> {
    const look = lookOf(family);
    const hue = color(look.color);
    const [pointStyle, , rotation] = look.shape;
    const own = dots.filter(({ sampler }) => familyOf(samplers[sampler]) === family);
    return {
      label: family,
      data: own,
      showLine: true,
      // A point may lie on the edge.
      clip: 10,
      borderWidth: 1,
      borderColor: hue,
      backgroundColor: hue,
      pointStyle,
      pointRotation: rotation ?? 0,
      pointRadius: 6,
      pointHoverRadius: 8,
      pointHitRadius: 10,
      pointBorderWidth:
        pointStyle === 'crossRot' || pointStyle === 'star' || pointStyle === 'cross' ? 2.5 : 1,
    };
  }

  const tooltip = () => ({
    displayColors: false,
    backgroundColor: color('--ink'),
    titleColor: color('--card'),
    bodyColor: color('--card'),
    padding: 10,
    cornerRadius: 8,
  });
  const axisLook = () => ({
    grid: { color: color('--line') },
    border: { color: color('--line') },
    ticks: { color: color('--soft') },
  });

  function drawFrontier(): void {
    const chosen = costs.querySelector<HTMLInputElement>('input:checked')?.value as Cost | undefined;
    if (chosen === undefined) return;
    const name = (COSTS.find(([cost]) => cost === chosen) as (typeof COSTS)[number])[1];
    const dots = dotsOf(chosen);
    const low = Math.min(...dots.map(({ x }) => x)) / 1.4;
    const high = Math.max(...dots.map(({ x }) => x)) * 1.4;
    const ends = dots.flatMap(intervalOf);
    const axis = axisLook();
    canvas.setAttribute(
      'aria-label',
      `Accuracy against ${name} a response. The table of samplers has the numbers.`,
    );
    drawn.push(
      new Chart(canvas, {
        type: 'scatter',
        data: {
          datasets: [
            ...families.map((family) => familyDataset(family, dots)),
            {
              data: frontierOf(dots, chosen, high),
              showLine: true,
              stepped: 'before',
              borderColor: color('--soft'),
              borderWidth: 1.5,
              borderDash: [6, 4],
              pointRadius: 0,
              pointHitRadius: 0,
              pointHoverRadius: 0,
            },
          ],
        },
        options: {
          animation: false,
          maintainAspectRatio: false,
          scales: {
            x: {
              ...axis,
              type: 'logarithmic',
              min: low,
              max: high,
              title: { display: true, text: `${name} a response`, color: color('--soft') },
              ticks: {
                ...axis.ticks,
                maxRotation: 0,
                autoSkipPadding: 10,
                callback: (value) => amount(Number(value)),
              },
              afterBuildTicks: (scale) => {
                scale.ticks = ticks(low, high).map((value) => ({ value }));
              },
            },
            y: {
              ...axis,
              min: Math.max(0, 10 * Math.floor(Math.min(...ends) / 10)),
              max: Math.min(100, 10 * Math.ceil(Math.max(...ends) / 10)),
              title: { display: true, text: 'accuracy, %', color: color('--soft') },
            },
          },
          plugins: {
            legend: { display: false },
            tooltip: {
              ...tooltip(),
              filter: ({ raw }) => (raw as Dot).sampler >= 0,
              callbacks: {
                title: (shown) => shown.map(({ raw }) => nameInTooltip((raw as Dot).sampler)).join('\n'),
                label: ({ raw }) => tooltipLines(samplers[(raw as Dot).sampler]),
              },
            },
          },
        },
        plugins: [errorBars, labels],
      }),
    );
  }

  const nameInTooltip = (i: number): string => `${letters[i]} ${samplers[i].name}`;

  function tooltipLines(one: SamplerSummary): string[] {
    const { accuracy, interval, right, items } = one;
    if (accuracy === null || interval === null) return [];
    return [
      `accuracy ${percent(accuracy)} ${bounds(interval)}`,
      `${right} right of ${count(items * run.samples, 'response')}`,
      ...COSTS.filter(([cost]) => one[cost] !== null).map(([cost, name]) => `${name} ${amount(one[cost])}`),
      ...(one.acceptance === null ? [] : [`accepted ${percent(one.acceptance)}`]),
    ];
  }

  // Lengths.

  function fillLengths(): void {
    find('lengths').append(
      ...samplers.map((one, i) => {
        const title = element('h3', '', nameOf(i));
        const facts = [
          `mean ${amount(one.length)}`,
          one.cutAtHorizon === null ? '' : `${percent(one.cutAtHorizon)} cut at the limit`,
          one.acceptance === null ? '' : `${percent(one.acceptance)} of proposals accepted`,
        ];
        const plot = element('canvas');
        plot.setAttribute('role', 'img');
        plot.setAttribute(
          'aria-label',
          `Lengths of the responses of ${one.name}: ${facts.filter(Boolean).join(', ')}`,
        );
        const text = one.responses === 0 ? 'no responses yet' : facts.filter(Boolean).join(' · ');
        return element('article', 'card', title, element('p', '', text), element('div', 'plot', plot));
      }),
    );
  }

  function drawLengths(): void {
    const { lengthEdges: edges } = summary;
    const shares = samplers.map(({ lengths, responses }) =>
      lengths.map((n) => (responses === 0 ? 0 : (100 * n) / responses)),
    );
    const highest = 10 * Math.ceil(Math.max(1, ...shares.flat()) / 10);
    const axis = axisLook();
    for (const [i, plot] of find('lengths').querySelectorAll('canvas').entries()) {
      const { length } = samplers[i];
      const hue = color(lookOf(familyOf(samplers[i])).color);
      const mean: Plugin = {
        id: 'mean',
        afterDatasetsDraw({ ctx, scales, chartArea }) {
          if (length === null) return;
          const x = scales.x.getPixelForValue(length);
          ctx.save();
          ctx.strokeStyle = color('--ink');
          ctx.setLineDash([3, 3]);
          ctx.beginPath();
          ctx.moveTo(x, chartArea.top);
          ctx.lineTo(x, chartArea.bottom);
          ctx.stroke();
          ctx.restore();
        },
      };
      // A bin's share holds from its lower edge to its upper one.
      const steps = [...shares[i], shares[i][shares[i].length - 1]].map((y, bin) => ({ x: edges[bin], y }));
      drawn.push(
        new Chart(plot, {
          type: 'scatter',
          data: {
            datasets: [
              {
                data: steps,
                showLine: true,
                stepped: 'before',
                fill: 'origin',
                borderColor: hue,
                borderWidth: 1.5,
                backgroundColor: `color-mix(in srgb, ${hue} 25%, transparent)`,
                pointRadius: 0,
                pointHitRadius: 12,
                pointHoverRadius: 0,
              },
            ],
          },
          options: {
            animation: false,
            maintainAspectRatio: false,
            scales: {
              x: {
                ...axis,
                grid: { display: false },
                min: 0,
                max: edges[edges.length - 1],
                ticks: {
                  ...axis.ticks,
                  maxTicksLimit: 5,
                  maxRotation: 0,
                  stepSize: edges[edges.length - 1] / 4,
                },
              },
              y: {
                ...axis,
                min: 0,
                max: highest,
                ticks: {
                  ...axis.ticks,
                  stepSize: highest / 2,
                  callback: (value) => `${value} %`,
                },
              },
            },
            plugins: {
              legend: { display: false },
              tooltip: {
                ...tooltip(),
                callbacks: {
                  label: ({ dataIndex }) => {
                    const bin = Math.min(dataIndex, shares[i].length - 1);
                    return `${edges[bin] + 1} to ${edges[bin + 1]} tokens: ${count(samplers[i].lengths[bin], 'response')}`;
                  },
                },
              },
            },
          },
          plugins: [mean],
        }),
      );
    }
  }

  function drawAll(): void {
    for (const chart of drawn.splice(0)) chart.destroy();
    Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
    Chart.defaults.font.size = 12;
    drawFrontier();
    drawLengths();
  }

  function setUpCharts(): void {
    const measured = COSTS.filter(([cost]) => dotsOf(cost).length > 0);
    for (const [i, [cost, name]] of measured.entries()) {
      const input = element('input');
      input.type = 'radio';
      input.name = 'cost';
      input.value = cost;
      input.checked = i === 0;
      costs.append(element('label', '', input, name));
    }
    costs.addEventListener('change', drawAll);
    if (measured.length === 0) {
      find('frontier-section').hidden = true;
      return;
    }
    find('legend').append(
      ...families.map((family) => {
        const own = membersOf(family);
        const name = own.length === 1 ? samplers[own[0]].name : family;
        return element('li', '', icon(family), `${own.map((i) => letters[i]).join(', ')}: ${name}`);
      }),
      element('li', '', element('i', 'dashes'), 'frontier'),
    );
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawAll);
  }

  // Pairs.

  interface Pair {
    a: number;
    b: number;
    onlyA: number;
    onlyB: number;
    both: number;
    neither: number;
    items: number;
    p: number | null;
    difference: number | null;
    interval: [number, number] | null;
  }

  const places = new Map(samplers.map(({ name }, i) => [name, i]));
  const pairs = summary.comparisons.map(
    (one): Pair => ({ ...one, a: places.get(one.a) as number, b: places.get(one.b) as number }),
  );

  /** The pair the other way round. */
  const turned = ({ a, b, onlyA, onlyB, difference, interval, ...rest }: Pair): Pair => ({
    ...rest,
    a: b,
    b: a,
    onlyA: onlyB,
    onlyB: onlyA,
    difference: difference === null ? null : 0 - difference,
    interval: interval === null ? null : [0 - interval[1], 0 - interval[0]],
  });

  const baseline = find<HTMLSelectElement>('baseline');

  function fillComparisons(): void {
    const table = find('comparisons');
    const all = baseline.value === 'all';
    const base = Number(baseline.value);
    const shown = all
      ? pairs
      : pairs
          .filter(({ a, b }) => a === base || b === base)
          .map((pair) => (pair.a === base ? turned(pair) : pair));
    const other = all ? 'the other' : letters[base];
    fillHead(table, [
      'sampler',
      ...(all ? ['compared with'] : []),
      'difference in accuracy',
      'items',
      'only it right',
      `only ${other} right`,
      'both',
      'neither',
      'p',
    ]);
    const widest = Math.max(0.01, ...pairs.flatMap(({ interval }) => interval?.map(Math.abs) ?? []));
    const onTrack = (difference: number) => 0.5 + difference / (2 * widest);
    (table.querySelector('tbody') as Element).replaceChildren(
      ...shown.map((pair) => {
        const { a, b, difference, interval, items, onlyA, onlyB, both, neither, p } = pair;
        const cell = element('td');
        if (difference === null || interval === null) cell.append('–');
        else {
          const numbers = element('span', '', signed(difference), element('small', '', bounds(interval)));
          const [low, high] = interval.map(onTrack);
          cell.append(element('div', 'range', track(low, high, onTrack(difference), 0.5), numbers));
        }
        const cells = [items, both, neither].map((n) => element('td', '', grouped(String(n))));
        return row(
          a,
          ...(all ? [element('td', '', letters[b])] : []),
          cell,
          cells[0],
          element('td', '', itemsButton(a, b, onlyA)),
          element('td', '', itemsButton(b, a, onlyB)),
          cells[1],
          cells[2],
          element('td', p !== null && p < 0.05 ? 'best' : '', p === null ? '–' : chance(p)),
        );
      }),
    );
  }

  /** Their number, which leads to the items that `right` got right and `wrong` did not. */
  function itemsButton(right: number, wrong: number, n: number): HTMLElement {
    const button = element('button', '', String(n));
    button.type = 'button';
    button.setAttribute(
      'aria-label',
      `${count(n, 'item')} that only ${letters[right]} got right, not ${letters[wrong]}: show`,
    );
    button.addEventListener('click', () => {
      filters.reset();
      for (const [i, sampler, verdict] of [
        [0, right, 'right'],
        [1, wrong, 'not right'],
      ] as const) {
        conditions[i].sampler.value = String(sampler);
        conditions[i].verdict.value = verdict;
      }
      applyFilters();
      find('items-title').scrollIntoView();
      filterText.focus({ preventScroll: true });
    });
    return button;
  }

  function setUpComparisons(): void {
    find('comparisons-section').hidden = pairs.length === 0;
    if (pairs.length === 0) return;
    options(baseline, [
      ...samplers.map(({ name }, i) => [String(i), `${letters[i]} ${name}`] as const),
      ['all', 'each other: all pairs'],
    ]);
    baseline.addEventListener('change', fillComparisons);
    find('comparisons-note').textContent =
      `On the items that both have graded. Compared are the last states of the samplers with each other, the picks of one sampler with each other, and the likeliest ones with best-of-n. Difference in percentage points with its 95 % bootstrap interval over items. The counts are of the${several ? ' first response to each of the' : ''} items, p is McNemar’s (exact, two-sided) of the two “only” ones, not corrected for the number of pairs; below 0.05 it is bold. A count leads to its items.`;
    fillComparisons();
  }

  // Items.

  const filters = find<HTMLFormElement>('filters');
  const filterText = find<HTMLInputElement>('filter-text');
  const filterKind = find<HTMLSelectElement>('filter-kind');
  const conditions = [1, 2].map((i) => ({
    sampler: find<HTMLSelectElement>(`filter-sampler-${i}`),
    verdict: find<HTMLSelectElement>(`filter-verdict-${i}`),
  }));
  const SYMBOLS: Record<Verdict, string> = {
    right: '✓',
    wrong: '✗',
    'no answer': '∅',
    'timed out': 'T',
    'too long': 'L',
  };
  const PAGE = 50;
  const searched = items.map(({ id, prompt, answer }) => `${id}\n${prompt}\n${answer}`.toLowerCase());
  let found: number[] = [];
  let rendered = 0;

  /** Symbol, look and name of one or several responses. */
  function markOf(responses: readonly (ResponseData | null)[]): [symbol: string, look: string, name: string] {
    const there = responses.filter((one) => one !== null);
    if (there.length === 0) return ['·', 'missing', 'not there yet'];
    const right = there.filter(({ verdict }) => verdict === 'right').length;
    const [{ verdict }] = there;
    if (responses.length > 1 && verdict !== 'too long') {
      const name = `${right} of ${there.length} right`;
      if (right === responses.length) return [SYMBOLS.right, 'right', name];
      if (right === 0 && there.length === responses.length) return [SYMBOLS.wrong, 'wrong', name];
      return [`${right}/${there.length}`, 'partly', name];
    }
    const look = verdict === 'right' || verdict === 'wrong' ? verdict : 'other';
    return [SYMBOLS[verdict], look, verdict];
  }

  function mark(responses: readonly (ResponseData | null)[]): HTMLElement {
    const [symbol, look, name] = markOf(responses);
    const made = element('span', `mark ${look}`, symbol);
    made.title = name;
    made.setAttribute('role', 'img');
    made.setAttribute('aria-label', name);
    return made;
  }

  function meets(response: ResponseData | null, wanted: string): boolean {
    if (response === null) return false;
    const { verdict } = response;
    return wanted === 'not right' ? verdict !== 'right' && verdict !== 'too long' : verdict === wanted;
  }

  function applyFilters(): void {
    const text = filterText.value.trim().toLowerCase();
    for (const { sampler, verdict } of conditions) verdict.disabled = sampler.value === '';
    found = [...items.keys()].filter((i) => {
      const { responses } = items[i];
      const verdicts = responses.flatMap(([first]) =>
        first && first.verdict !== 'too long' ? [first.verdict === 'right'] : [],
      );
      const any = verdicts.includes(true);
      const each = verdicts.length > 0 && !verdicts.includes(false);
      const kind = {
        all: true,
        disagree: any && !each,
        right: each,
        wrong: verdicts.length > 0 && !any,
      }[filterKind.value];
      return (
        kind &&
        searched[i].includes(text) &&
        conditions.every(
          ({ sampler, verdict }) =>
            sampler.value === '' || meets(responses[Number(sampler.value)][0], verdict.value),
        )
      );
    });
    find('items-count').textContent = `${grouped(String(found.length))} of ${count(items.length, 'item')}`;
    rendered = 0;
    (find('items').querySelector('tbody') as Element).replaceChildren();
    find('items').hidden = found.length === 0;
    showMore();
  }

  /** Only as many rows as are looked at: there may be thousands. */
  function showMore(): void {
    const next = found.slice(rendered, rendered + PAGE);
    rendered += next.length;
    (find('items').querySelector('tbody') as Element).append(...next.map(itemRow));
    const left = found.length - rendered;
    find('more').hidden = left === 0;
    find('more').textContent = `Show ${Math.min(PAGE, left)} more of ${left}`;
  }

  function itemRow(i: number): HTMLElement {
    const { id, prompt, responses } = items[i];
    const opener = element(
      'button',
      'opener',
      element('b', '', id),
      element('span', '', prompt.trim().replace(/\s+/g, ' ').slice(0, 200)),
    );
    opener.type = 'button';
    opener.setAttribute('aria-expanded', 'false');
    const head = element('th', '', opener);
    head.scope = 'row';
    const made = element(
      'tr',
      '',
      head,
      ...responses.map((ofSampler, s) => {
        const cell = element('td', '', mark(ofSampler));
        cell.dataset.key = letters[s];
        return cell;
      }),
    );
    opener.addEventListener('click', () => {
      const open = opener.getAttribute('aria-expanded') === 'true';
      opener.setAttribute('aria-expanded', String(!open));
      if (open) made.nextElementSibling?.remove();
      else made.after(detailRow(i));
    });
    return made;
  }

  function textBox(title: string, text: string): HTMLElement {
    const box = element('div', 'text', text);
    box.dir = 'auto';
    box.tabIndex = 0;
    box.setAttribute('role', 'group');
    box.setAttribute('aria-label', title);
    return box;
  }

  function detailRow(i: number): HTMLElement {
    const { prompt, answer, texts, responses } = items[i];
    const asked = element(
      'div',
      'asked',
      element('section', '', element('h4', '', 'Prompt'), textBox('Prompt', prompt)),
      element('section', '', element('h4', '', 'Right answer'), textBox('Right answer', answer)),
    );
    const list = element(
      'div',
      'responses',
      ...responses.flatMap((ofSampler, s) =>
        ofSampler.flatMap((one, sample) =>
          one === null ? [] : [responseBox(one, texts[one.text], s, sample)],
        ),
      ),
    );
    const cell = element('td', '', asked, list);
    cell.colSpan = samplers.length + 1;
    return element('tr', 'detail', cell);
  }

  const costsOf = ([drawn, rows, passes]: NonNullable<ResponseData['costs']>): string[] => [
    count(drawn, 'drawn token'),
    count(rows, 'computed row'),
    count(passes, 'sequential pass', 'sequential passes'),
  ];

  function responseBox(one: ResponseData, { text, left }: TextData, s: number, sample: number): HTMLElement {
    const said = element('span', 'said', `${letters[s]}${several ? ` ${sample + 1}` : ''} · ${one.verdict}`);
    if (one.answer !== null) said.append(': ', element('bdi', '', one.answer));
    const tokens = one.finish === null ? '' : count(one.tokens, 'token');
    const made = element(
      'details',
      '',
      element('summary', '', mark([one]), said, element('span', 'aside', tokens)),
    );
    made.open = !several && one.finish !== null;
    const facts = [
      samplers[s].name,
      ...(one.finish === 'length' ? ['cut at the limit'] : []),
      ...(one.logp === null ? [] : [`log p ${minus(one.logp.toFixed(2))}`]),
      ...(one.costs === null ? [] : costsOf(one.costs)),
      ...(one.mass === null ? [] : [`right with ${percent(one.mass)}`]),
      ...(one.proposed > 0 ? [`${one.accepted} of ${one.proposed} accepted`] : []),
    ];
    const line = element('p', 'aside facts', facts.join(' · '));
    if (one.trace !== undefined) {
      const link = element('a', '', 'how it was drawn');
      link.href = one.trace;
      line.append(' · ', link);
    }
    made.append(line);
    if (left > 0) made.append(element('p', 'aside', `The first ${count(left, 'character')} are left out.`));
    if (one.finish !== null) made.append(textBox(`Response of ${samplers[s].name}`, text));
    return made;
  }

  function setUpItems(): void {
    const table = find('items');
    table.classList.toggle('counts', several);
    const narrow = matchMedia('(max-width: 36rem)');
    const stack = () =>
      table.classList.toggle('stacked', narrow.matches || samplers.length > (several ? 12 : 16));
    narrow.addEventListener('change', stack);
    stack();
    fillHead(table, ['item', ...letters]);
    for (const [i, cell] of table.querySelectorAll<HTMLElement>('thead th').entries()) {
      if (i === 0) continue;
      cell.className = 'mark-column';
      cell.title = samplers[i - 1].name;
      cell.append(element('span', 'hidden', ` ${samplers[i - 1].name}`));
    }
    for (const { sampler, verdict } of conditions) {
      options(sampler, [
        ['', 'any sampler'],
        ...samplers.map((one, i) => [String(i), `${letters[i]} ${one.name}`] as const),
      ]);
      options(
        verdict,
        ['right', 'not right', ...Object.keys(SYMBOLS).slice(1)].map((name) => [name, name] as const),
      );
    }
    find('marks').append(
      ...Object.entries(SYMBOLS).map(([name, symbol]) => {
        const look = name === 'right' || name === 'wrong' ? name : 'other';
        return element('li', '', element('span', `mark ${look}`, symbol), name);
      }),
      ...(several
        ? [
            element(
              'li',
              '',
              element('span', 'mark partly', '3/8'),
              'right of several; filters look at the first',
            ),
          ]
        : []),
    );
    filters.addEventListener('input', applyFilters);
    filters.addEventListener('submit', (event) => event.preventDefault());
    // The fields are cleared after the event.
    filters.addEventListener('reset', () => setTimeout(applyFilters));
    find('more').addEventListener('click', showMore);
    applyFilters();
  }

  function fillOptions(): void {
    find('options').append(
      ...samplers.flatMap(({ options, pick }, i) => {
        if (pick !== 'last') return [];
        const list = element('dl');
        definitions(
          list,
          Object.entries(options).map(([name, value]) => [
            name,
            typeof value === 'string' ? value : (JSON.stringify(value) ?? '–'),
          ]),
        );
        return [element('details', '', element('summary', '', nameOf(i)), list)];
      }),
    );
  }

  fillSamplers();
  setUpCharts();
  fillLengths();
  setUpComparisons();
  setUpItems();
  fillOptions();
  drawAll();
}
