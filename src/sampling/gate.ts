import { CUT_LAWS, type CutLawName } from './cut-laws.ts';
import type { Schedule } from './power-chain.ts';
import type { Branch, Rollout } from './rollout.ts';
import type { Visited } from './visits.ts';

/** The gate that a run's cut law went by. */
export interface GateUsed {
  /** In nats, as given or as fitted. */
  readonly nats: number;
  /** Share of the tokens that the run has come by whose entropy is there or above. */
  readonly above: number;
  /** Why the gate hardly tells one token from another, where that is so. */
  readonly trouble: string | null;
}

/** Several, as one may end early or repeat itself, and none long: they must cost less than what they are for. */
const PILOTS = 4;
const PILOT_TOKENS = 128;
/** The step whose random numbers draw the pilots: a run has fewer than 2^24. */
const PILOT_STEP = 2 ** 24 - 1;

/** Below this many nats a token is no decision: its alternatives are drawn less than once in 700 times. @internal */
export const FLOOR = 0.01;
const KEPT = 0.95;
const MOST = 1 / 5;

/** Shares of the tokens beyond which a gate tells too little. */
const TOO_MANY = 0.5;
const TOO_FEW = 0.001;
/** Tokens from which on a share says anything. */
const ENOUGH = 64;

/**
 * The gate for a text of these entropies: the highest at which the tokens that pass carry 95 % of the entropy, but so high that about a
 * fifth of the tokens pass at most; rounded down to two digits.
 *
 * The first rule is for a model that is sure of most of what it says. Entropy is what cuts are for, so it says directly how much of it
 * the sampler goes on seeing, whatever the distribution looks like. A valley of the histogram (Otsu's threshold on log H, say) needs two
 * modes: it would cut a single one in half, and between two that are decades apart any place is as good as another, so that it moves
 * with the rounding noise. Entropies below 0.01 nats count for nothing, as long as there are others: a long text that is nearly
 * certain must not drown its few decisions. The second rule is for a model that is unsure of most: 95 % of the entropy lie on more
 * than half of the tokens there, and a gate that lets most pass tells none from the others.
 * @param sorted ascending, nats; at least one
 * @internal
 */
export function fitGate(sorted: Float64Array): number {
  const decisive = sorted.subarray(firstFrom(sorted, FLOOR));
  const counted = decisive.length > 0 ? decisive : sorted;
  const enough = KEPT * counted.reduce((a, b) => a + b, 0);
  let lowest = counted.length - 1;
  for (let kept = counted[lowest]; kept < enough && lowest > 0; ) kept += counted[--lowest];
  const fifth = sorted[sorted.length - Math.max(1, Math.floor(MOST * sorted.length))];
  return roundDown(Math.max(counted[lowest], fifth));
}

/** Index of the first of the ascending values that is at least `bound`; their number where there is none. @internal */
export function firstFrom(ascending: Float64Array, bound: number): number {
  const index = ascending.findIndex((value) => value >= bound);
  return index < 0 ? ascending.length : index;
}

/** The largest number of two significant digits that is not above `value`. */
function roundDown(value: number): number {
  const near = Number(value.toPrecision(2));
  if (near <= value) return near;
  return Number((near - 10 ** (Math.floor(Math.log10(value)) - 1)).toPrecision(2));
}

/** Whether any step of a chain goes by a gate. @internal */
export function isGated(law: CutLawName, { growth, steps, finalSteps }: Schedule): boolean {
  const refines = finalSteps > 0 || (growth === 'blocks' && steps > 0);
  return refines && CUT_LAWS[law].uses.includes('gate');
}

/**
 * Continuations of the prompt by the proposal, to fit the gate to. They are none of the chain's responses, and their random numbers are
 * their own: the gate must be independent of the chain. Given the gate, each step then leaves p^α invariant, so that a chain that
 * starts distributed as p^α stays so. Were the gate read off the chain's own first response x, or off the particles that x is one of, each
 * kernel would leave p^α invariant as well, but x, given the gate that it has picked, would not be distributed so, and no
 * more would be what comes of it after one step.
 * @internal
 */
export function pilotsOf(rollout: Rollout, maxNewTokens: number): Branch[] {
  const own = { step: PILOT_STEP, horizon: Math.min(PILOT_TOKENS, maxNewTokens) };
  return Array.from({ length: PILOTS }, (_, candidate) => ({ ...rollout.root(), candidate, own }));
}

/** Draws what is left of the pilots. @returns the gate, nats @internal */
export async function fitToPilots(rollout: Rollout, pilots: readonly Branch[]): Promise<number> {
  const tokens = () => pilots.reduce((n, { response }) => n + response.tokens.length, 0);
  const before = tokens();
  await rollout.advance(pilots, PILOT_TOKENS, PILOT_STEP);
  rollout.account.drawnTokens += tokens() - before;
  return fitGate(Float64Array.from(pilots.flatMap(({ response }) => [...response.entropy])).sort());
}

/** What is to be said of a gate after the run. @internal */
export function gateUsed(nats: number, { particles, states }: Visited): GateUsed {
  let tokens = 0;
  let passing = 0;
  for (const { response } of [...particles, ...states.flat()]) {
    tokens += response.entropy.length;
    for (const h of response.entropy) if (h >= nats) passing++;
  }
  const above = passing / tokens;
  return { nats, above, trouble: tokens < ENOUGH ? null : trouble(nats, above) };
}

function trouble(nats: number, above: number): string | null {
  const share = (100 * above).toFixed(above < 0.01 ? 2 : 0);
  const said = `gate ${nats} nats: ${share} % of the tokens lie above it`;
  if (above > TOO_MANY) return `${said}, so that it hardly tells where to cut; egps calibrate fits it`;
  if (above < TOO_FEW) return `${said}, so that it leaves hardly anything to cut at; egps calibrate fits it`;
  return null;
}
