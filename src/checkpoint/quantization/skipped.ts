import { CheckpointError } from '../../base/errors.ts';
import { show } from '../../base/show.ts';
import { type NamePattern, namePatterns } from './patterns.ts';
import { find, type Weight } from './quantization.ts';
import type { Settings } from './settings.ts';

/**
 * Modules that a list leaves as they are. Libraries read such a list in different ways, as names, as parts of them, or as
 * patterns: where they would differ, it is the tensors that tell.
 */
export class Skipped {
  private readonly key: string;
  private readonly names: readonly string[];
  private readonly patterns: readonly NamePattern[];

  constructor(settings: Settings, key: string) {
    this.key = key;
    this.names = settings.names(key).filter((name) => name !== '');
    this.patterns = namePatterns(
      this.names.filter((name) => /[*+?()[\]|^$\\{}]/.test(name)),
      `${settings.path}.${key}`,
    );
  }

  /** In one of those ways. */
  mayBe(module: string): boolean {
    return (
      this.names.some((name) => module.includes(name)) || this.patterns.some((matches) => matches(module))
    );
  }

  /** In each of them. @throws CheckpointError */
  mustNotBe(weight: Weight, part: string): void {
    const { module } = weight;
    const name = this.names.find((each) => module === each || module.startsWith(`${each}.`));
    const found = find(weight, part);
    if (name === undefined || !found) return;
    const message = `is quantised, but quantization_config.${this.key} has ${show(name)}`;
    throw new CheckpointError(found.file, message, { tensor: found.name });
  }
}
