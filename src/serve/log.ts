import type { Life } from './life.ts';

const LONGEST_PROMPT = 500;

/** A line of the log. What a client wrote is not in it, unless it is asked for. */
export function logLine(
  life: Life,
  method: string,
  path: string,
  status: number,
  withPrompt: boolean,
): string {
  const { usage, failure, prompt, seconds } = life;
  const parts = [
    new Date().toISOString(),
    method,
    path.slice(0, 100),
    status,
    `${(1000 * seconds).toFixed(0)} ms`,
  ];
  if (usage.prompt > 0) parts.push(`${usage.prompt} + ${usage.completion} tokens`);
  if (failure !== undefined) parts.push(failureName(failure));
  if (withPrompt && prompt !== undefined) parts.push(JSON.stringify(prompt).slice(0, LONGEST_PROMPT));
  return parts.join(' ');
}

/** A refusal by its code; of what is the server's own fault all that it says. */
function failureName(failure: unknown): string {
  const { name, code, message, stack } = failure as Error & { code?: string };
  return name === 'Refusal' || name === 'OptionError' ? (code ?? name) : (stack ?? `${name}: ${message}`);
}
