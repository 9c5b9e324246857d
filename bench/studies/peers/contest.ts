/** Who takes part, and how fast they are. */
import { setTimeout as sleep } from 'node:timers/promises';
import { progress } from '../../harness/figures.ts';
import type { Checks, Errors } from './checks.ts';
import { EngineProcess, reason } from './process.ts';
import { CONTEXT, MEASURES, type Measure, measures, type Spec } from './specs.ts';

/** Seconds that a measurement should not be longer than by much: slow engines decode fewer tokens in it. */
const LONG = 10;
/** Pause before a measurement, for the threads of the engine before to stop spinning. */
const PAUSE_MS = 200;
/** Rounds for an engine whose measurements are long. */
export const FEW = 3;

export interface Contestant {
  spec: Spec;
  /** Undefined for one that is not measured. */
  process?: EngineProcess;
  note: string;
  device?: string;
  precision?: string;
  errors?: Errors;
  rates: Record<Measure, { rate: number; cpuMs: number }[]>;
}

/** The variant that a driver's backend turned out to need, to begin with where it is opened at another precision. */
const settled = new Map<string, number>();

/** Opens an engine and looks whether it computes what it should, in its usual configuration or else in another. */
export async function enter(
  spec: Spec,
  options: object,
  environment: NodeJS.ProcessEnv,
  checks: Checks,
): Promise<Contestant> {
  let contestant: Contestant | undefined;
  const kind = `${spec.driver} ${spec.backend}`;
  const first = settled.get(kind) ?? 0;
  for (const [i, variant] of spec.variants.entries()) {
    if (i < first) continue;
    progress(`checking ${spec.name}${variant.note && `, ${variant.note}`}`);
    const engine = new EngineProcess(spec.driver, environment);
    const previous = contestant?.note;
    contestant = { spec, note: variant.note, rates: { prefill: [], decode1: [], decode8: [] } };
    try {
      const { value } = await engine.call('open', {
        ...options,
        backend: spec.backend,
        precision: spec.format,
        ...variant.options,
      });
      Object.assign(contestant, value);
      const { errors, wrong } = await checks.of(engine, spec);
      contestant.errors = errors;
      if (!wrong) {
        settled.set(kind, i);
        contestant.process = engine;
        contestant.note = [variant.note, previous && `${previous} otherwise`].filter(Boolean).join('; ');
        return contestant;
      }
      contestant.note = `WRONG: ${wrong}`;
    } catch (error) {
      contestant.note = `not measured: ${reason(error)}`;
    }
    engine.end();
  }
  return contestant as Contestant;
}

/** The engines by turns, so that whatever else the machine does hits them alike. */
export async function race(
  contestants: readonly Contestant[],
  tokens: number,
  rounds: number,
): Promise<void> {
  const prompt = Array.from({ length: CONTEXT }, (_, i) => i);
  for (const measure of measures) {
    const { label, rows } = MEASURES[measure];
    const steps = new Map<Contestant, number>();
    const slow = new Set<Contestant>();
    const attempt = async (contestant: Contestant, work: (engine: EngineProcess) => Promise<void>) => {
      if (!contestant.process) return;
      try {
        await work(contestant.process);
      } catch (error) {
        contestant.note = `failed in ${label}: ${reason(error)}`;
        contestant.process.end();
        contestant.process = undefined;
      }
    };
    for (const contestant of contestants) {
      progress(`${label}: warming up ${contestant.spec.name}`);
      await attempt(contestant, async (engine) => {
        if (measure === 'prefill') {
          await engine.call('prefill', prompt);
          return;
        }
        await engine.call('hold', prompt, rows);
        await engine.call('decode', 2);
        const { seconds } = await engine.call('decode', 2);
        steps.set(contestant, Math.max(2, Math.min(tokens, Math.floor((2 * LONG) / seconds))));
      });
    }
    for (let round = 1; round <= rounds; round++) {
      for (const contestant of contestants) {
        if (round > FEW && slow.has(contestant)) continue;
        progress(`${label}: round ${round} of ${rounds}, ${contestant.spec.name}`);
        await attempt(contestant, async (engine) => {
          await sleep(PAUSE_MS);
          const count = steps.get(contestant);
          const { seconds, cpuSeconds } = count
            ? await engine.call('decode', count)
            : await engine.call('prefill', prompt);
          if (seconds > LONG / 2) slow.add(contestant);
          const done = count ? count * rows : CONTEXT;
          contestant.rates[measure].push({ rate: done / seconds, cpuMs: (1000 * cpuSeconds) / done });
        });
      }
    }
  }
}
