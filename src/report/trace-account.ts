import type { Sample, SamplerOptions } from '../sampling/sample.ts';
import { fixed, grouped } from './format.ts';
import { isChain, isPower, lawUses } from './sampler-kinds.ts';
import type { ReplayData } from './trace-data.ts';

type Rows = ReplayData['account'][number]['rows'];

/** What is said of an end that is not the model's own. */
const ENDS = { eos: '', length: ', cut at the limit', stop: ', ended by a stop string' };

/** What came of a run and what it cost, in titled tables. */
export function account(
  sample: Sample,
  options: SamplerOptions,
  adapter: string,
  wallSeconds: number,
): ReplayData['account'] {
  const { account, finish, tokens, logProbability, logTarget } = sample;
  const result: Rows = [
    ['length', `${tokens.length} tokens${ENDS[finish]}`],
    ['log p', `${fixed(logProbability, 3)} nats`],
  ];
  if (isPower(options)) result.push(['log π = α · log p, up to a constant', fixed(logTarget, 3)]);
  const { proposed, accepted } = account;
  const share = proposed > 0 ? ` (${Math.round((100 * accepted) / proposed)} %)` : '';
  const moves: Rows = [
    ['proposed', grouped(proposed)],
    ['accepted', `${grouped(accepted)}${share}`],
    ['held', grouped(account.held)],
    ['endings given up early', grouped(account.abandoned)],
  ];
  const drawn: Rows = [['tokens drawn, in all endings', grouped(account.drawnTokens)]];
  const { computedRows, draftedRows, usedDrafts, sequentialPasses } = account;
  const computed: Rows = [
    ['rows computed', grouped(computedRows)],
    ['of these needed at once', grouped(computedRows - draftedRows)],
    ['of these drafted', grouped(draftedRows)],
    ['drafted and used later', grouped(usedDrafts)],
    ['passes one after another', grouped(sequentialPasses)],
    ['wall time', seconds(wallSeconds)],
    ['adapter', adapter],
  ];
  return [
    { title: 'Result', rows: result },
    ...(isChain(options) ? [{ title: 'Moves', rows: moves }] : []),
    { title: 'Drawn', rows: drawn },
    { title: 'Computed', rows: computed },
    { title: 'Options', rows: used(options, sample.gate) },
  ];
}

/** The options that the sampler used. */
function used(options: SamplerOptions, gate: Sample['gate']): Rows {
  const { sampler } = options;
  const shown: [string, string | number | bigint | undefined][] = [
    ['sampler', sampler],
    ['seed', options.seed],
    ['chain', options.chain],
    ['most new tokens', options.maxNewTokens],
  ];
  if (sampler === 'sample' || sampler === 'best-of-n') {
    shown.push(['temperature', options.temperature], ['top k', options.topK], ['top p', options.topP]);
  }
  if (sampler === 'best-of-n') shown.push(['answers', options.n]);
  if (isPower(options)) {
    shown.push(
      ['α', options.alpha],
      ['proposal temperature', Number(options.proposalTemperature.toPrecision(4))],
    );
  }
  const byParticles = sampler === 'smc' || (sampler === 'egps' && options.growth === 'particles');
  if (byParticles) shown.push(['particles', options.particles]);
  if (isChain(options)) {
    const blocks = !byParticles || lawUses(options, 'blockSize');
    if (blocks) shown.push(['block size', `${options.blockSize} tokens`]);
    if (!byParticles) shown.push(['steps per block', options.steps]);
    if (sampler !== 'karan-du') {
      shown.push(
        ['final steps', options.finalSteps],
        ['acceptance', options.acceptance],
        ['decoding', options.decoding],
      );
    }
  }
  if (sampler === 'egps') {
    shown.push(['endings per step', options.tries], ['cut law', options.cutLaw]);
    if (gate)
      shown.push(['gate', `${gate.nats} nats${options.gate === 'auto' ? ', fitted to the prompt' : ''}`]);
  }
  shown.push(['tree', options.tree]);
  if (options.tree === 'on') {
    shown.push(['draft', options.draft]);
    if (isChain(options)) shown.push(['look ahead', options.lookAhead]);
  }
  return shown.flatMap(([name, value]): Rows => (value === undefined ? [] : [[name, String(value)]]));
}

function seconds(s: number): string {
  return s < 60
    ? `${s.toFixed(s < 10 ? 2 : 1)} s`
    : `${Math.floor(Math.round(s) / 60)} min ${Math.round(s) % 60} s`;
}
