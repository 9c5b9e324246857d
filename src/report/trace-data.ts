import type { ResponseTree } from './response-tree.ts';

/** What a trace page's script is given. Numbers are rounded for show. */
export interface ReplayData {
  prompt: string;
  /** How the sampler works, for someone who has never heard of it. */
  explanation: string;
  /** Text of each token that occurs, and its id; the steps' `tokens` point into these. */
  texts: string[];
  ids: number[];
  /** Which of them ends a response, or −1. */
  eos: number;
  /** Blocks without any entropy as high as the gate are closed to cuts; null if the cut law knows no blocks. */
  closing: { blockSize: number; gate: number } | null;
  steps: ReplayStep[];
  /** Nothing is drafted: what comes before it is asked for was drawn ahead on the GPU. */
  drawsAhead: boolean;
  tree: ResponseTree;
  /** What the tree lacks. */
  treeNote: string;
  /** Most probable first. */
  answers: {
    /** null: no answer. */
    answer: string | null;
    probability: number;
    /** How many it stands for that are not told one by one, or 0. */
    others: number;
  }[];
  /** Weights in descending order, which of them the chain began with, the number of distinct ones, and (Σw)² / Σw²; null: no particles. */
  particles: { weights: number[]; chosen: number; distinct: number; effective: number } | null;
  /** Titled tables of names and values. */
  account: { title: string; rows: [name: string, value: string][] }[];
}

/** As Step in ../sampling/trace.ts. */
export interface ReplayStep {
  kind: 'grow' | 'propose' | 'hold';
  block: number;
  cut: number;
  lengths: number[];
  abandoned: boolean[];
  /** null: −∞, which JSON does not have. */
  logRho: (number | null)[];
  outcome: number;
  tokens: number[];
  entropy: number[];
  tokenLogp: number[];
  /** Of each token's distribution: 0 known already, 1 computed, 2 computed before it was asked for. */
  origins: number[];
  logp: number;
  /** In this step: tokens drawn, rows computed, those of them that were drafted, and passes. */
  drawn: number;
  computed: number;
  drafted: number;
  passes: number;
}
