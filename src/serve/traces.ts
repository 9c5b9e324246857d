/** How many runs are kept for their pages: each is some megabytes. */
const KEPT = 8;

/** The pages that replay the last runs, made when they are asked for. */
export class Traces {
  private readonly pages = new Map<string, () => string>();

  keep(path: string, page: () => string): void {
    this.pages.set(path, page);
    for (const oldest of this.pages.keys()) {
      if (this.pages.size <= KEPT) break;
      this.pages.delete(oldest);
    }
  }

  at(path: string): string | undefined {
    return this.pages.get(path)?.();
  }
}
