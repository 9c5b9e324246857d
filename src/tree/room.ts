import { OutOfMemoryError } from '../base/errors.ts';
import type { LanguageModel } from '../engine/language-model.ts';
import type { Branch, Tree } from './tree.ts';

/** Whoever keeps branches in the cache. */
export interface Tenant {
  readonly trees: Iterable<Tree>;
  /** What the pass under way stands on: not to be freed. */
  readonly busy: ReadonlySet<Branch>;
  /** Settles when that pass is over, well or not. */
  readonly current: Promise<void>;
}

/** Somebody who waits to come in. */
interface Waiting {
  readonly positions: number;
  admit(): void;
}

/**
 * The cache of a model, shared by all that is computed with it at the same time. Who comes in asks for the positions that it cannot do
 * without, and waits in order until they are there; what is kept beyond these is freed where others need it.
 */
export class Room {
  readonly tenants: Set<Tenant> = new Set();
  private readonly positions: number;
  private taken = 0;
  /** How often somebody may have given pages back. */
  private returns = 0;
  private readonly queue: Waiting[] = [];

  private constructor(positions: number) {
    this.positions = positions;
  }

  static of(model: LanguageModel): Room {
    const room = rooms.get(model) ?? new Room(model.cachePositions);
    rooms.set(model, room);
    return room;
  }

  /**
   * Comes in after all who have asked before.
   * @param what needs the positions, for errors
   * @throws OutOfMemoryError at once, if the cache could never hold them; the signal's reason, if it is aborted meanwhile
   */
  async enter(positions: number, what: string, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (positions > this.positions) {
      const hint = 'load the model with more cachePositions';
      throw new OutOfMemoryError(`${what} (in positions)`, positions, this.positions, hint);
    }
    if (this.queue.length === 0 && this.fits(positions)) {
      this.taken += positions;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const giveUp = () => {
        this.queue.splice(this.queue.indexOf(waiting), 1);
        reject(signal?.reason);
        this.admit(); // it may have stood before others that fit
      };
      const admit = () => {
        signal?.removeEventListener('abort', giveUp);
        resolve();
      };
      const waiting: Waiting = { positions, admit };
      this.queue.push(waiting);
      signal?.addEventListener('abort', giveUp, { once: true });
    });
  }

  leave(positions: number): void {
    this.taken -= positions;
    this.returned();
    this.admit();
  }

  /** A pass is over. */
  returned(): void {
    this.returns++;
  }

  /**
   * What `compute` gives, as soon as it finds room in the cache. What others gave back while it failed may have been all that it lacked.
   * @param spare frees so many branches; false where nothing can be spared
   * @throws what it throws; OutOfMemoryError where nobody can make room
   */
  async within<T>(
    compute: () => Promise<T>,
    spare: (branches: number) => boolean = (branches) => this.evict(branches, new Set()),
  ): Promise<T> {
    for (let branches = 1; ; branches *= 2) {
      const before = this.returns;
      try {
        return await compute();
      } catch (error) {
        if (!(error instanceof OutOfMemoryError)) throw error;
        if (this.returns === before && !spare(branches) && !(await this.passOver())) throw error;
      }
    }
  }

  /** Frees keys of the branches that were walked least recently. @returns false where there are none */
  evict(most: number, bases: ReadonlySet<Branch>): boolean {
    const found: { tree: Tree; branch: Branch }[] = [];
    for (const { trees, busy } of this.tenants) {
      for (const tree of trees) {
        for (const branch of tree.branches) {
          if (!bases.has(branch) && !busy.has(branch) && tree.isTrimmable(branch))
            found.push({ tree, branch });
        }
      }
    }
    found.sort((a, b) => a.branch.used - b.branch.used);
    for (const { tree, branch } of found.slice(0, most)) tree.trim(branch);
    return found.length > 0;
  }

  /** Waits for the next of the passes under way to be over. @returns false where there are none */
  private async passOver(): Promise<boolean> {
    const passes = [...this.tenants].filter(({ busy }) => busy.size > 0);
    if (passes.length === 0) return false;
    await Promise.race(passes.map(({ current }) => current.catch(() => undefined))); // who waits for it knows
    return true;
  }

  private admit(): void {
    while (this.queue.length > 0 && this.fits(this.queue[0].positions)) {
      const { positions, admit } = this.queue.shift() as Waiting;
      this.taken += positions;
      admit();
    }
  }

  private fits(positions: number): boolean {
    return this.taken + positions <= this.positions;
  }
}

const rooms = new WeakMap<LanguageModel, Room>();
