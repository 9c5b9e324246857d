import type { Chart as ChartClass } from 'chart.js';

/** Of the script before this one. */
export const { Chart } = globalThis as unknown as { Chart: typeof ChartClass };

/** Of the style sheet, as it is now. */
export const color = (name: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export const tooltip = () => ({
  displayColors: false,
  backgroundColor: color('--ink'),
  titleColor: color('--card'),
  bodyColor: color('--card'),
  padding: 10,
  cornerRadius: 8,
});

export const axis = () => ({
  grid: { color: color('--line') },
  border: { color: color('--line') },
  ticks: { color: color('--soft') },
});
