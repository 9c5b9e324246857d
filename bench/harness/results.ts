/** Files that are kept. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { type Parsed, value } from '../../src/cli/args.ts';
import type { Bench } from './device.ts';

/** Where files go, made if need be; undefined for nowhere: a quick run keeps nothing unless it is told where. */
function outputFolder({ folder }: Bench, parsed: Parsed): string | undefined {
  const out = value(parsed, 'out') ?? (parsed.flags.has('quick') ? 'none' : folder);
  if (out === 'none') return;
  mkdirSync(out, { recursive: true });
  return out;
}

/** Six digits are kept of what is not whole. */
export function writeJson(file: string, figures: object): void {
  const rounded = (_: string, x: unknown) =>
    typeof x === 'number' && !Number.isInteger(x) ? Number(x.toPrecision(6)) : x;
  writeFileSync(file, `${JSON.stringify(figures, rounded, 1)}\n`);
}

/** Writes NAME.json, and NAME.svg where there is a chart. */
export function writeResults(
  bench: Bench,
  name: string,
  figures: object,
  parsed: Parsed,
  svg?: string,
): void {
  const out = outputFolder(bench, parsed);
  if (!out) return;
  writeJson(`${out}/${name}.json`, { environment: bench.environment, ...figures });
  if (svg) writeFileSync(`${out}/${name}.svg`, svg);
  console.log(`\nwritten to ${out}/${name}.json${svg ? ` and ${name}.svg` : ''}`);
}
