const LONGEST = 200;

/** A value for a message, cut where it is long. */
export function show(value: unknown): string {
  const text = typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? 'undefined');
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}
