import type { Verdict } from '../eval/item.ts';
import type { Summary } from '../eval/summary.ts';

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
