import type { EvalData } from '../../eval-data.ts';
import { grouped } from '../../format.ts';
import { definitions, element, find } from '../dom.ts';

/** What was run, and what was found. */
export function showHead({ summary, findings }: EvalData): void {
  const { run, complete } = summary;
  document.title = `${run.task}: evaluation`;
  find('title').textContent = `Accuracy on ${run.task}`;
  const facts: [string, string][] = [
    ['model', run.model],
    ['items', grouped(run.items)],
    ['runs an item', String(run.samples)],
    ['prompts', run.promptStyle],
    ['seed', run.seed],
    ['adapter', run.adapters.join('; ')],
    ['chains side by side', run.concurrency.join(', ')],
    ...Object.entries(run.versions),
  ];
  find('facts').append(...definitions(facts));
  find('findings').append(
    ...findings.map((text, i) => element('p', i === 0 && !complete ? 'warning' : '', text)),
  );
}
