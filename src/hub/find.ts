import { stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { HubError, OptionError } from '../base/errors.ts';
import { ModelCache } from './cache.ts';
import { Commit, isWhole, missingInCache } from './commit.ts';
import { isCommit, isPath, type ModelName, parseName, show } from './name.ts';
import { inCache, type LocalModel, RemoteModel } from './remote-model.ts';
import { Repository } from './repository.ts';
import { readSettings, type Settings } from './settings.ts';

/**
 * Finds a model: a folder, or else ID or ID@REVISION in the cache or on the Hub, of which no more is read than the configuration and the
 * headers of the weights.
 * @throws OptionError, HubError, CheckpointError, UnsupportedModelError
 */
export async function findModel(model: string, signal?: AbortSignal): Promise<LocalModel | RemoteModel> {
  const found = isPath(model) ? undefined : await stat(model).catch(() => undefined);
  if (isPath(model) || found) {
    const warnings = found?.isDirectory() ? warningsOf(model) : [];
    return { dir: model, title: basename(resolve(model)), warnings };
  }
  const name = parseName(model);
  return findByName(name, await readSettings(), signal);
}

/** A folder comes before the model of its name. */
function warningsOf(folder: string): string[] {
  try {
    parseName(folder);
  } catch (error) {
    if (error instanceof OptionError) return [];
    throw error;
  }
  const others = `./${folder} says so without this line, ${folder}@main is the model on the Hub`;
  return [`${folder} is taken as the folder ${resolve(folder)}: ${others}`];
}

async function findByName(
  name: ModelName,
  settings: Settings,
  signal: AbortSignal | undefined,
): Promise<LocalModel | RemoteModel> {
  const { revision } = name;
  const cache = new ModelCache(name, settings);
  const known = await cache.commitOf(revision);
  const absent = await missingInCache(cache, known);
  const cached = absent.length === 0 ? known : undefined;
  if (cached !== undefined) {
    const settled = settings.offline || (isCommit(revision) && (await isWhole(cache, cached)));
    if (settled) return inCache(name, cache, cached);
  } else if (settings.offline) throw notCached(name, settings, absent);

  const repository = new Repository(name, settings, signal);
  try {
    const { commit } = await repository.head('config.json', revision, cached === undefined ? undefined : 1);
    if (!(await isWhole(cache, commit))) {
      const found = new Commit(commit, repository, cache);
      const description = await found.describe();
      const { files, lacking } = await found.missing();
      if (files.length > 0)
        return await RemoteModel.of(repository, cache, { commit, description, files, lacking });
      await settle(async () => {
        for (const path of lacking) await cache.markMissing(commit, path);
      });
    }
    if (commit !== known) await settle(() => cache.refer(revision, commit));
    return inCache(name, cache, commit);
  } catch (error) {
    // A Hub that is down, or a token that has expired, is no reason not to use what is here.
    const isClosed =
      error instanceof HubError && (error.status === undefined ? error.cause : error.status !== 404);
    if (!isClosed || cached === undefined) throw error;
    return inCache(name, cache, cached, [`${error.message}; what is in the cache is used`]);
  }
}

/** Writes what the next run need not ask for; a cache that can only be read will do. */
async function settle(write: () => Promise<void>): Promise<void> {
  await write().catch(() => {});
}

function notCached(name: ModelName, { cache }: Settings, missing: readonly string[]): HubError {
  const message = `HF_HUB_OFFLINE is set, and the cache ${cache} lacks ${missing.join(', ')}: unset it to fetch them`;
  return new HubError(show(name), message, { missing });
}
