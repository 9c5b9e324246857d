/** How much older passes count for less with each new one. */
const FADING = 0.98;

/**
 * What a pass of r rows costs, as a + b·r: a least-squares line through the passes so far, newer ones counting for more. Only the ratio of
 * the two matters. Before the first passes it goes by the class of the adapter.
 */
export class Prices {
  private weight = 0;
  private rows = 0;
  private squares = 0;
  private seconds = 0;
  private products = 0;
  private readonly ratio: number;

  /** @param parallel a GPU, where rows cost next to nothing */
  constructor(parallel: boolean) {
    this.ratio = parallel ? 0.01 : 0.25;
  }

  add(rows: number, seconds: number): void {
    const fade = (sum: number, value: number) => FADING * sum + value;
    this.weight = fade(this.weight, 1);
    this.rows = fade(this.rows, rows);
    this.squares = fade(this.squares, rows * rows);
    this.seconds = fade(this.seconds, seconds);
    this.products = fade(this.products, rows * seconds);
  }

  /** The price of a further row, that of a pass without rows being 1. */
  get row(): number {
    const { weight, rows, squares, seconds, products } = this;
    const spread = weight * squares - rows * rows;
    if (weight < 8 || spread < 0.1 * weight * squares) return this.ratio;
    const slope = (weight * products - rows * seconds) / spread;
    const start = (seconds - slope * rows) / weight;
    // Noise must not make rows free, nor passes.
    return Math.min(4, Math.max(this.ratio / 8, slope / Math.max(start, slope / 4)));
  }
}
