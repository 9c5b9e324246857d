import { find, options } from '../dom.ts';
import type { Wanted } from './filter.ts';
import { SYMBOLS } from './marks.ts';
import type { Samplers } from './samplers.ts';

/** What the reader looks for among the items. */
export class FilterForm {
  private readonly form = find<HTMLFormElement>('filters');
  private readonly text = find<HTMLInputElement>('filter-text');
  private readonly kind = find<HTMLSelectElement>('filter-kind');
  private readonly conditions = [1, 2].map((i) => ({
    sampler: find<HTMLSelectElement>(`filter-sampler-${i}`),
    verdict: find<HTMLSelectElement>(`filter-verdict-${i}`),
  }));

  constructor(samplers: Samplers, onChange: () => void) {
    for (const { sampler, verdict } of this.conditions) {
      options(sampler, [
        ['', 'any sampler'],
        ...samplers.all.map((_, i) => [String(i), samplers.lettered(i)] as const),
      ]);
      options(
        verdict,
        ['right', 'not right', ...Object.keys(SYMBOLS).slice(1)].map((name) => [name, name] as const),
      );
    }
    this.form.addEventListener('input', onChange);
    this.form.addEventListener('submit', (event) => event.preventDefault());
    // The fields are cleared after the event.
    this.form.addEventListener('reset', () => setTimeout(onChange));
  }

  read(): Wanted {
    for (const { sampler, verdict } of this.conditions) verdict.disabled = sampler.value === '';
    return {
      text: this.text.value,
      kind: this.kind.value as Wanted['kind'],
      conditions: this.conditions
        .filter(({ sampler }) => sampler.value !== '')
        .map(({ sampler, verdict }) => ({ sampler: Number(sampler.value), verdict: verdict.value })),
    };
  }

  /** Asks for what `right` got right and `wrong` did not. */
  askFor(right: number, wrong: number): void {
    this.form.reset();
    for (const [i, sampler, verdict] of [
      [0, right, 'right'],
      [1, wrong, 'not right'],
    ] as const) {
      this.conditions[i].sampler.value = String(sampler);
      this.conditions[i].verdict.value = verdict;
    }
  }

  focus(): void {
    this.text.focus({ preventScroll: true });
  }
}
