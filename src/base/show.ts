const LONGEST = 200;

/** A value for a message, cut where it is long. */
export function show(value: unknown): string {
  const text =
    typeof value === 'number' || typeof value === 'bigint'
      ? String(value)
      : (JSON.stringify(value) ?? 'undefined');
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}

/** The same of a value of JSON that is not what belongs there: of arrays and objects, whatever their size, only that they are. */
export function describe(value: unknown): string {
  if (value === undefined) return 'missing';
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' && value !== null ? 'an object' : show(value);
}
