import { definitions, element, find } from '../dom.ts';
import { nameOf } from './names.ts';
import type { Samplers } from './samplers.ts';

/** What each sampler ran with; its picks have it in common. */
export function showOptions(samplers: Samplers): void {
  find('options').append(
    ...samplers.all.flatMap(({ options, pick }, i) => {
      if (pick !== 'last') return [];
      const rows = Object.entries(options).map(([name, value]): [string, string] => [
        name,
        typeof value === 'string' ? value : (JSON.stringify(value) ?? '–'),
      ]);
      const list = element('dl', '', ...definitions(rows));
      return [element('details', '', element('summary', '', nameOf(samplers, i)), list)];
    }),
  );
}
