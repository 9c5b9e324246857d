import type { AnswerShare } from '../answers/shares.ts';
import type { AdapterDescription } from '../gpu/device.ts';
import type { Diagnostics } from '../sampling/diagnostics.ts';
import type { Account, Sample } from '../sampling/sample.ts';
import { escaped } from './terminal.ts';

/** 1234567 → "1.23 MB". */
export function bytes(n: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let i = 0;
  while (n >= 999.5 && i < units.length - 1) {
    n /= 1000;
    i++;
  }
  return `${i === 0 ? n : Number(n.toPrecision(3))} ${units[i]}`;
}

export function seconds(s: number): string {
  if (s < 10) return `${s.toFixed(2)} s`;
  if (s < 60) return `${s.toFixed(1)} s`;
  const whole = Math.round(s);
  return `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** An adapter by its name, and what is not to be overlooked. */
export function adapterText({ description, cpu }: AdapterDescription): string {
  return cpu ? `${description} (computes on the CPU)` : description;
}

/** Share of the chain's moves that were accepted, or undefined where nothing was proposed. */
export function acceptance({ proposed, accepted }: Account): string | undefined {
  return proposed > 0 ? `${Math.round((100 * accepted) / proposed)} % accepted` : undefined;
}

export function rate(tokens: number, wallSeconds: number): string {
  const perSecond = wallSeconds > 0 ? tokens / wallSeconds : 0;
  return `${perSecond < 10 ? perSecond.toFixed(1) : Math.round(perSecond)} tokens/s`;
}

/** What an answer cost, in two lines. */
export function accountLines(drawn: Sample, wallSeconds: number): string {
  const { account } = drawn;
  const moves =
    account.proposed > 0
      ? `${acceptance(account)} (${account.accepted} of ${account.proposed} moves${account.held > 0 ? `, ${account.held} held` : ''})`
      : undefined;
  const counts = [
    `${account.drawnTokens} tokens drawn`,
    `${account.computedRows} computed in ${account.sequentialPasses} passes`,
    account.draftedRows > 0 ? `${account.usedDrafts} of ${account.draftedRows} guesses used` : undefined,
    moves,
    account.abandoned > 0 ? `${account.abandoned} candidates abandoned early` : undefined,
  ];
  const result = [
    `${drawn.tokens.length} tokens${ENDS[drawn.finish]}`,
    `log p ${drawn.logProbability.toFixed(3)}`,
    seconds(wallSeconds),
  ];
  return [counts, result].map((facts) => facts.filter((fact) => fact !== undefined).join(' · ')).join('\n');
}

/** What is said of an end that is not the model's own. */
const ENDS = { eos: '', length: ', cut at the horizon', stop: ', ended by a stop string' };

const SHOWN = 4;

/** The most probable final answers with their shares. */
export function shareLines(answers: readonly AnswerShare[]): string {
  const shown = answers.slice(0, SHOWN).map(({ answer, probability }) => {
    return `${answer ?? 'no answer'} ${(100 * probability).toFixed(1)} %`;
  });
  const rest = answers.length > SHOWN ? ` · ${answers.length - SHOWN} more` : '';
  return `final answers: ${shown.join(' · ')}${rest}`;
}

/** What several chains say about convergence: a line, and one on acceptance where anything was proposed. */
export function diagnosticLines(diagnostics: Diagnostics): string {
  const { chains, draws, rhat, ess, distinct, acceptance } = diagnostics;
  if (draws === 0) return `${distinct} distinct of ${chains} answers`;
  const mixing = Number.isNaN(rhat)
    ? `split-R̂ and effective sample size of log p need 4 steps at the full length, there are ${draws}`
    : `log p over the last ${draws} steps: split-R̂ ${rhat.toFixed(3)}, effective sample size ${ess.toFixed(1)} of ${chains * draws}`;
  const cuts = acceptance
    .filter(({ proposed }) => proposed > 0)
    .map(
      ({ from, proposed, accepted }) =>
        `${from}+ ${Math.round((100 * accepted) / proposed)} % of ${proposed}`,
    );
  const lines = [`${distinct} distinct of ${chains} answers · ${mixing}`];
  if (cuts.length > 0) lines.push(`accepted by position of the cut: ${cuts.join(' · ')}`);
  return lines.join('\n');
}

/** A table with its columns aligned; numbers to the right. */
export function table(rows: readonly (readonly string[])[], right: readonly boolean[]): string {
  const widths = right.map((_, c) => Math.max(...rows.map((row) => row[c].length)));
  return rows
    .map((row) =>
      row
        .map((cell, c) => (right[c] ? cell.padStart(widths[c]) : cell.padEnd(widths[c])))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/**
 * JSON of one object on one line; seeds are written as decimal strings, columns as arrays. What could steer a terminal
 * is escaped, which changes nothing for those who parse it.
 */
export function json(value: unknown): string {
  const text = JSON.stringify(value, (_, v) =>
    typeof v === 'bigint' ? String(v) : ArrayBuffer.isView(v) ? Array.from(v as Float64Array) : v,
  );
  return escaped(text);
}
