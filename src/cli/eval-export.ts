import { dirname, join } from 'node:path';
import { OptionError } from '../base/errors.ts';
import { didYouMean } from '../base/nearest.ts';
import { everyEvalEverFiles } from '../eval/export/every-eval-ever.ts';
import { type ExportFile, type FinishedRun, readFinished } from '../eval/export/finished-run.ts';
import { lmEvalFiles } from '../eval/export/lm-eval.ts';
import { makeFolder, replaceFile, writing } from '../eval/files.ts';
import { COMMON, type Parsed, value } from './args.ts';
import type { Io } from './io.ts';

const FORMATS: Readonly<Record<string, (run: FinishedRun, parsed: Parsed) => ExportFile[]>> = {
  'lm-eval': lmEvalFiles,
  'every-eval-ever': (run, parsed) => {
    const modelId = value(parsed, 'model-id') ?? defaultId(run.plan.model);
    if (!/^[^\s/]+(\/[^\s/]+)+$/.test(modelId))
      throw new OptionError(`--model-id is ${JSON.stringify(modelId)}: ORGANISATION/NAME is expected`);
    const organization = value(parsed, 'organization') ?? 'unknown';
    if (organization.trim() === '') throw new OptionError('--organization is empty: who ran the evaluation');
    return everyEvalEverFiles(run, { modelId, organization }, new Date());
  },
};

/** The name on the Hub, or of a folder here. */
function defaultId(model: string): string {
  const [id] = model.split('@');
  return id.includes('/') ? id : `local/${id.replace(/\s+/g, '_')}`;
}

/** The options that belong to the export of a run. */
export const EXPORT_OPTIONS: readonly string[] = ['format', 'model-id', 'organization'];

/**
 * Writes a finished run in the format of another program.
 * @throws OptionError; DataError for a run that is not whole or lacks responses; OutputError
 */
export async function exportRun(parsed: Parsed, io: Io): Promise<void> {
  const [path, ...more] = parsed.words.slice(1);
  const known = ['out', ...EXPORT_OPTIONS, ...Object.keys(COMMON)];
  const other = [...Object.keys(parsed.values), ...parsed.flags].find((name) => !known.includes(name));
  if (other !== undefined) throw new OptionError(`egps eval export takes no --${other}`);
  if (path === undefined) throw new OptionError('egps eval export DIR: of which run?');
  if (more.length > 0) throw new OptionError(`unexpected ${JSON.stringify(more[0])}: one run at a time`);
  const names = Object.keys(FORMATS);
  const format = value(parsed, 'format');
  if (format === undefined) throw new OptionError(`--format is missing: ${names.join(' or ')}`);
  if (!Object.hasOwn(FORMATS, format)) {
    throw new OptionError(
      `--format is ${JSON.stringify(format)}: ${names.join(' or ')}${didYouMean(format, names)}`,
    );
  }
  if (format === 'lm-eval') {
    const idle = EXPORT_OPTIONS.slice(1).find((name) => value(parsed, name) !== undefined);
    if (idle !== undefined) throw new OptionError(`--format lm-eval has no place for --${idle}`);
  }
  const files = FORMATS[format](await readFinished(path), parsed);
  const out = value(parsed, 'out') ?? join(path, format);
  for (const { name, text } of files) {
    const folder = join(out, dirname(name));
    await writing(folder, async () => {
      await makeFolder(folder);
      await replaceFile(folder, name.slice(dirname(name).length + 1), text);
    });
    io.out(`${join(out, name)}\n`);
  }
}
