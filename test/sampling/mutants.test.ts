import { test } from 'uvu';
import { EDGE, LAWS, randomToy, TARGETS, drive, defects } from './exact.ts';
import { weighingBy, cuttingBy } from './mutants.ts';
import { TableModel } from '../support/table-model.ts';
import { refine } from '../../src/sampling/power-chain.ts';
const toy = randomToy(3, 4, 1), small = randomToy(3,3,1);
const show = (l: string, d: object) => console.log(l, JSON.stringify(d));
const shift = (e: Float64Array) => e.map((_, c) => e[c + 1] ?? 0);
class Late extends TableModel {
  override async decode(...args: Parameters<TableModel['decode']>) {
    const parts = await super.decode(...args);
    return parts.map((part) => ({ ...part, entropy: part.entropy.map((_, t, all) => t > 0 ? all[t - 1] : 0) }));
  }
}
class Reusing extends TableModel {
  memo = new Map<string, number>();
  override async decode(...args: Parameters<TableModel['decode']>) {
    const [rows] = args; const draw = this.draw!;
    this.draw = (logq, key, position) => {
      const prefix = (rows[key.candidate].sequence as any).tokens.join();
      const v = this.memo.get(prefix) ?? draw(logq, key, position);
      this.memo.set(prefix, v); return v;
    };
    try { return await super.decode(...args); } finally { this.draw = draw; }
  }
}
test('x', async () => {
  for (const law of LAWS) for (const target of [TARGETS[1], TARGETS[3]]) {
    const s = { toy, law: toy.law(law), ...target };
    const go = async (l: string, extra: object, driven = {}) => { try { const { P } = await drive({ ...s, ...extra }, driven); show(`${law} ${target.alpha} ${l}`, defects(P, s)); } catch (e: any) { console.log(law, l, e.constructor.name, e.message); } };
    await go('norm', { step: weighingBy(() => (e) => new Float64Array(e.length).fill(1)) });
    await go('nb', { step: weighingBy((r) => (e) => r(e).map((p) => p * Math.ceil(e.length / 2))) });
    await go('shift cut', { step: cuttingBy((r) => (e) => r(shift(e))) });
    await go('shift weight', { step: weighingBy((r) => (e) => r(shift(e))) });
    await go('shift both', { law: (e: Float64Array) => s.law(shift(e)) });
    await go('late', { Model: Late });
    await go('horizon', { step: (c: any, k: any) => refine(c, k, c.response.tokens.length) });
    await go('skip', { step: (c: any, k: any, h: any) => { const e = c.response.entropy; return Math.max(...e.slice(Math.floor((e.length-1)/2)*2)) < 0.5 ? c.hold() : refine(c, k, h); } });
  }
  for (const law of LAWS) {
    const s = { toy: small, law: small.law(law), ...TARGETS[1] };
    show('reuse', defects((await drive({...s, Model: Reusing as any}, {steps: 2})).P, s));
    const far = { toy, law: (e: Float64Array) => { const g = e.map((_, c) => (e.length - c) ** 2); const t = g.reduce((a,b)=>a+b); return g.map(v => v/t); }, ...TARGETS[3] };
    for (const decoding of ['eager','lockstep'] as const) try { show('looks ahead '+decoding, defects((await drive({...far, decoding}, {places: [EDGE]})).P, far)); } catch(e: any) { console.log(e.message) }
    const hot = { ...s, alpha: 4, temperature: 1.5};
    for (const decoding of ['eager','lockstep'] as const) try { show('hot '+decoding, defects((await drive({...hot, decoding}, {places: [EDGE]})).P, hot)); } catch(e: any) { console.log(e.message) }
  }
  const s1 = { toy, law: toy.law('entropy'), ...TARGETS[0], Model: Late };
  for (const law of LAWS) show('late α1', defects((await drive({...s1, law: toy.law(law)})).P, s1));
});
test.run();
