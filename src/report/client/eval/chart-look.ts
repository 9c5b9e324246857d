import type { Chart as ChartClass, TooltipOptions } from 'chart.js';

/** Of the script before this one. */
export const Chart: typeof ChartClass = (globalThis as unknown as { Chart: typeof ChartClass }).Chart;

/** Of the style sheet, as it is now. */
export const color = (name: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(name).trim();

type Tooltip = Pick<
  TooltipOptions,
  'displayColors' | 'backgroundColor' | 'titleColor' | 'bodyColor' | 'padding' | 'cornerRadius'
>;
export const tooltip = (): Tooltip => ({
  displayColors: false,
  backgroundColor: color('--ink'),
  titleColor: color('--card'),
  bodyColor: color('--card'),
  padding: 10,
  cornerRadius: 8,
});

export const axis = (): Record<'grid' | 'border' | 'ticks', { color: string }> => ({
  grid: { color: color('--line') },
  border: { color: color('--line') },
  ticks: { color: color('--soft') },
});
