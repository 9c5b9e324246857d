import type { ItemData, ResponseData } from '../../eval-data.ts';

/** Which items are looked for. */
export interface Wanted {
  text: string;
  /** By the verdicts of all samplers. */
  kind: 'all' | 'disagree' | 'right' | 'wrong';
  /** Verdicts of single samplers. */
  conditions: readonly Condition[];
}

interface Condition {
  sampler: number;
  /** Or `not right`. */
  verdict: string;
}

/** Finds items by the first response of each sampler. */
export class ItemFilter {
  private readonly items: readonly ItemData[];
  private readonly texts: readonly string[];

  constructor(items: readonly ItemData[]) {
    this.items = items;
    this.texts = items.map(({ id, prompt, answer }) => `${id}\n${prompt}\n${answer}`.toLowerCase());
  }

  /** Their indices. */
  find({ text, kind, conditions }: Wanted): number[] {
    const part = text.trim().toLowerCase();
    return [...this.items.keys()].filter((i) => {
      const { responses } = this.items[i];
      return (
        isOf(kind, responses) &&
        this.texts[i].includes(part) &&
        conditions.every(({ sampler, verdict }) => meets(responses[sampler][0], verdict))
      );
    });
  }
}

/** Too long ones count neither way. */
function isOf(kind: Wanted['kind'], responses: ItemData['responses']): boolean {
  const verdicts = responses.flatMap(([first]) =>
    first && first.verdict !== 'too long' ? [first.verdict === 'right'] : [],
  );
  const any = verdicts.includes(true);
  const each = verdicts.length > 0 && !verdicts.includes(false);
  switch (kind) {
    case 'all':
      return true;
    case 'disagree':
      return any && !each;
    case 'right':
      return each;
    case 'wrong':
      return verdicts.length > 0 && !any;
  }
}

function meets(response: ResponseData | null, wanted: string): boolean {
  if (response === null) return false;
  const { verdict } = response;
  return wanted === 'not right' ? verdict !== 'right' && verdict !== 'too long' : verdict === wanted;
}
