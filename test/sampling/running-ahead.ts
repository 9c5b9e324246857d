import { TableModel } from '../../reference/table-model.ts';
import type { Feed, Reading } from '../../src/engine/language-model.ts';
import { randomSource } from '../../src/sampling/random.ts';
import { Distribution } from '../../src/tree/distribution.ts';

/** Draws ahead where it may. */
export class RunningAhead extends TableModel {
  /** How many were drawn so. */
  drawn = 0;

  override async compute(feeds: readonly Feed[]): Promise<Reading[][]> {
    const readings = await super.compute(feeds);
    for (const [i, feed] of feeds.entries()) {
      const { sequence, sharpening, position, tokens, ahead } = feed;
      if (!ahead) continue;
      const { seed, chain, step, candidate } = ahead.key;
      for (let n = 0; ; n++) {
        const last = readings[i].length - 1;
        const at = position + tokens.length + n;
        const { u, tail } = randomSource(seed, chain).token(step, candidate, at);
        const drawn = new Distribution(readings[i][last].summary, { ...sharpening, ...ahead }, at).draw(u);
        let token = drawn?.token;
        if (token === undefined) {
          const again = { sequence, position: at - 1, tokens: [readings[i][last].token], sharpening };
          const [[answer]] = await super.compute([{ ...again, ask: { tail } }]);
          readings[i][last] = answer;
          token = answer.asked?.token as number;
        }
        if (n === ahead.most || this.eosTokens.has(token)) break;
        token = this.stray(token, at);
        const [[next]] = await super.compute([{ sequence, position: at, tokens: [token], sharpening }]);
        readings[i].push(next);
        this.drawn++;
      }
    }
    return readings;
  }

  /** What it feeds, as arithmetic of its own may have it. */
  protected stray(token: number, _position: number): number {
    return token;
  }
}
