import { OptionError } from '../base/errors.ts';
import { type CachedSequence, type KvCache, PAGE, type PageCopy } from '../cache/kv-cache.ts';
import type { ModelConfig } from '../checkpoint/config.ts';
import type { Gpu } from '../gpu/device.ts';
import { MOST_STEPS } from '../model/buffers.ts';
import type { Qwen2 } from '../model/qwen2.ts';
import { RESULT_BYTES, unpackResult } from '../model/rows.ts';
import { type Activation, joined, layerActivations } from './activations.ts';
import { firstBadLayer } from './diagnosis.ts';
import type { Feed, LanguageModel, Reading, Sequence, Sharpening } from './language-model.ts';
import { Passes } from './passes.ts';
import { type Profile, profilePass } from './profile.ts';
import { type RowState, writeRows } from './write-rows.ts';

/** A feed under way. */
interface Job {
  readonly feed: Feed;
  readonly sequence: CachedSequence;
  readonly readings: Reading[];
  /** Tokens of the feed that are done. */
  done: number;
  /** Pages set aside and not yet taken. */
  reserved: number;
}

/** Feeds prefixes through the model on one GPU. */
export class Engine implements LanguageModel {
  readonly config: ModelConfig;
  readonly vocabSize: number;
  readonly contextLength: number;
  readonly cachePositions: number;
  readonly pageSize: number = PAGE;
  readonly eosTokens: ReadonlySet<number>;
  readonly rows: number;
  readonly tile: number;
  readonly parallel: boolean;
  private readonly gpu: Gpu;
  private readonly model: Qwen2;
  private readonly cache: KvCache;
  private readonly passes: Passes<Job>;

  constructor(gpu: Gpu, config: ModelConfig, model: Qwen2, cache: KvCache, contextLength: number) {
    this.gpu = gpu;
    this.model = model;
    this.cache = cache;
    this.config = config;
    this.vocabSize = config.vocabSize;
    this.contextLength = contextLength;
    this.cachePositions = cache.pages * PAGE;
    this.eosTokens = new Set(config.eosTokens);
    this.rows = model.buffers.logitRows;
    this.tile = model.tile;
    this.parallel = !gpu.adapter.cpu;
    this.passes = new Passes((jobs) => this.pass(jobs));
  }

  async prefill(tokens: ArrayLike<number>): Promise<Sequence> {
    this.checkTokens(tokens, 0);
    const { model, gpu } = this;
    const sequence = this.cache.sequence();
    try {
      const end = tokens.length;
      this.cache.reserve(sequence.pagesNeeded(end), `a prompt of ${end} tokens`);
      sequence.makeWritable(end, []); // shares no page yet
      for (let first = 0; first < end; ) {
        const positions = Math.min(end, first + model.capacity);
        const rows = Math.min(model.rowsAt(positions), end - first);
        const encoder = gpu.device.createCommandEncoder();
        const states = Array.from({ length: rows }, (_, i): RowState => {
          return { sequence, token: tokens[first + i], position: first + i, slot: 0, stride: 0 };
        });
        const shared = writeRows(gpu, model, states);
        const pass = encoder.beginComputePass();
        model.forward(pass, { rows, positions, shared, prefill: true });
        pass.end();
        gpu.device.queue.submit([encoder.finish()]);
        first += rows;
      }
      sequence.settle(end);
      await gpu.wait(gpu.device.queue.onSubmittedWorkDone());
      gpu.check();
      return sequence;
    } catch (error) {
      sequence.free();
      throw error;
    }
  }

  async compute(feeds: readonly Feed[]): Promise<Reading[][]> {
    this.gpu.check();
    if (feeds.length === 0) return [];
    for (const feed of feeds) this.checkFeed(feed);
    if (new Set(feeds.map(({ sequence }) => sequence)).size < feeds.length) {
      throw new OptionError('a sequence stands in two feeds of one call: fork it');
    }
    const needs = feeds.map((feed) => own(feed.sequence).pagesNeeded(endOf(feed)));
    const pages = needs.reduce((a, b) => a + b, 0);
    const tokens = feeds.reduce((n, feed) => n + feed.tokens.length, 0);
    this.cache.reserve(pages, `computing ${tokens} token(s)`);
    const jobs = feeds.map((feed, i): Job => {
      const sequence = own(feed.sequence);
      sequence.busy = true;
      return { feed, sequence, readings: [], done: 0, reserved: needs[i] };
    });
    const starts = jobs.map(({ sequence }) => sequence.length);
    try {
      await this.passes.run(jobs);
    } catch (error) {
      for (const [i, { sequence }] of jobs.entries()) sequence.settle(starts[i]);
      throw error;
    } finally {
      for (const { sequence, reserved } of jobs) {
        this.cache.unreserve(reserved);
        sequence.busy = false;
      }
    }
    return jobs.map(({ readings }) => readings);
  }

  /** Logits after every one of `tokens`, f32 [tokens][vocabulary]: for tests and tools, samplers never need all of them. */
  async logits(tokens: ArrayLike<number>): Promise<Float32Array> {
    const { model, gpu } = this;
    const all = new Float32Array(tokens.length * this.vocabSize);
    await this.inChunks(tokens, this.rows, async (states) => {
      const rows = states.length;
      const shared = writeRows(gpu, model, states);
      const encoder = gpu.device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      model.forward(pass, { rows, positions: tokens.length, shared });
      model.head(pass, rows);
      pass.end();
      const bytes = await gpu.read(encoder, model.buffers.logits, rows * this.vocabSize * 4);
      all.set(new Float32Array(bytes), states[0].position * this.vocabSize);
    });
    return all;
  }

  /**
   * What layer number `layer`, from 0, takes and gives at every one of `tokens`, and what its last projections take: to be compared with
   * other implementations.
   */
  async activations(tokens: ArrayLike<number>, layer: number): Promise<Activation[]> {
    const { gpu, model, config } = this;
    const { numLayers } = model;
    const allowed = `the model has ${numLayers} layers, 0 to ${numLayers - 1}`;
    check('layer', layer, isBelow(layer, numLayers), allowed);
    check('tokens', '[]', tokens.length > 0, 'at least one token is needed');
    const parts: Activation[][] = [];
    await this.inChunks(tokens, model.capacity, async (states) => {
      parts.push(await layerActivations(gpu, model, config, layer, states, tokens.length));
    });
    return joined(parts);
  }

  /** Times the kernels of a pass of decoding: so many rows, each of a sequence of its own of so many positions. */
  async profile(rows: number, context: number, repeats: number): Promise<Profile> {
    const { gpu, model, cache } = this;
    check('context', context, isBelow(context - 1, this.contextLength), `1 to ${this.contextLength}`);
    const most = Math.min(this.rows, model.rowsAt(context));
    check('rows', rows, isBelow(rows - 1, most), `1 to ${most} at ${context} positions`);
    const sequences = Array.from({ length: rows }, () => cache.sequence());
    try {
      cache.reserve(rows * sequences[0].pagesNeeded(context), `${rows} rows of ${context} positions`);
      const states = sequences.map((sequence, i): RowState => {
        sequence.makeWritable(context, []);
        return { sequence, token: i % this.vocabSize, position: context - 1, slot: i, stride: rows };
      });
      return await profilePass(gpu, model, states, context, repeats);
    } finally {
      for (const sequence of sequences) sequence.free();
    }
  }

  /** Computes tokens from an empty cache on, at most `most` rows at a time, each a row state with no ask. */
  private async inChunks(
    tokens: ArrayLike<number>,
    most: number,
    work: (states: readonly RowState[]) => Promise<void>,
  ): Promise<void> {
    this.checkTokens(tokens, 0);
    const sequence = this.cache.sequence();
    try {
      this.cache.reserve(sequence.pagesNeeded(tokens.length), `a prompt of ${tokens.length} tokens`);
      sequence.makeWritable(tokens.length, []); // shares no page yet
      for (let first = 0; first < tokens.length; ) {
        const rows = Math.min(this.model.rowsAt(tokens.length), most, tokens.length - first);
        await work(
          Array.from({ length: rows }, (_, i): RowState => {
            return { sequence, token: tokens[first + i], position: first + i, slot: 0, stride: 0 };
          }),
        );
        first += rows;
      }
    } finally {
      sequence.free();
    }
  }

  /**
   * One pass, or where rows draw for themselves a chain of them, for as many of the jobs as fit, in their order.
   * @returns the jobs that are finished
   */
  private async pass(jobs: readonly Job[]): Promise<Job[]> {
    const { model, gpu } = this;
    const batch: { job: Job; count: number; first: number }[] = [];
    const states: RowState[] = [];
    let positions = 0;
    const ahead = jobs[0].feed.ahead !== undefined;
    for (const job of jobs) {
      const { feed, done, sequence } = job;
      if ((feed.ahead !== undefined) !== ahead) continue; // those that draw nothing would stand idle
      const left = feed.tokens.length - done;
      const fitting = (count: number) => {
        const end = Math.max(positions, feed.position + done + count + (feed.ahead?.most ?? 0));
        return states.length + count <= Math.min(this.rows, model.rowsAt(end)) ? end : 0;
      };
      let count = Math.min(left, this.rows - states.length);
      while (count > 0 && fitting(count) === 0) count--;
      if (count === 0) break;
      positions = fitting(count);
      batch.push({ job, count, first: states.length });
      for (let i = done; i < done + count; i++) {
        states.push({
          sequence,
          token: feed.tokens[i],
          position: feed.position + i,
          ...feed.sharpening,
          slot: 0,
          stride: 0,
        });
      }
    }
    if (batch.length === 0) throw new Error('a pass has room for no row');

    let steps = 1;
    const copies: PageCopy[] = [];
    for (const { job, count, first } of batch) {
      const { feed, sequence } = job;
      const last = states[first + count - 1];
      const finishes = job.done + count === feed.tokens.length;
      const { ask } = feed;
      if (finishes && typeof ask === 'object') {
        Object.assign(
          last,
          'token' in ask ? { ask: 'given', word: ask.token } : { ask: 'tail', word: ask.tail },
        );
      }
      if (finishes && feed.ahead) {
        Object.assign(last, feed.ahead, { ask: 'draw', limit: last.position + 1 + feed.ahead.most });
        steps = Math.max(steps, 1 + feed.ahead.most);
      }
      job.reserved -= sequence.makeWritable(last.limit ?? last.position + 1, copies);
    }
    for (const [i, state] of states.entries()) Object.assign(state, { slot: i, stride: states.length });
    const shared = writeRows(gpu, model, states);
    const encoder = gpu.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    model.copyPages(pass, copies);
    for (let step = 0; step < steps; step++) {
      model.forward(pass, { rows: states.length, positions, shared });
      model.head(pass, states.length);
      model.draw(pass, states.length);
    }
    pass.end();
    const wantsLogits = batch.filter(({ job }) => job.feed.ask === 'logits');
    const size = states.length * steps * RESULT_BYTES;
    const data = new DataView(await gpu.read(encoder, model.buffers.results, size));

    const finished: Job[] = [];
    for (const { job, count, first } of batch) {
      const { feed, sequence, readings } = job;
      for (let i = 0; i < count; i++) readings.push(await this.reading(data, first + i, states[first + i]));
      const last = states[first + count - 1];
      let end = last.position + 1;
      job.done += count;
      if (job.done === feed.tokens.length) finished.push(job);
      // What the row drew after each of its tokens it fed next.
      for (let step = 1; step < steps && last.position + step < (last.limit ?? 0); step++) {
        const before = first + count - 1 + (step - 1) * states.length;
        const token = unpackResult(data, before).token;
        if (this.eosTokens.has(token) || readings[readings.length - 1].error) break;
        const state = { ...last, token, position: last.position + step };
        readings.push(await this.reading(data, before + states.length, state));
        end++;
      }
      sequence.settle(Math.max(sequence.length, end));
    }
    for (const { job, count, first } of wantsLogits) {
      if (job.done < job.feed.tokens.length) continue;
      const encoder = gpu.device.createCommandEncoder();
      const offset = (first + count - 1) * this.vocabSize * 4;
      const bytes = await gpu.read(encoder, model.buffers.logits, this.vocabSize * 4, offset);
      const { readings } = job;
      readings[readings.length - 1] = { ...readings[readings.length - 1], logits: new Float32Array(bytes) };
    }
    return finished;
  }

  private async reading(data: DataView, slot: number, state: RowState): Promise<Reading> {
    const { token, distance, bad, summary } = unpackResult(data, slot);
    const asked = state.ask === undefined ? undefined : { token, distance };
    const error = bad
      ? await firstBadLayer(this.gpu, this.model, state, this.config.tieWordEmbeddings)
      : undefined;
    return { token: state.token, summary, asked, error };
  }

  private checkTokens(tokens: ArrayLike<number>, before: number): void {
    for (let i = 0; i < tokens.length; i++) {
      if (!Number.isInteger(tokens[i]) || tokens[i] < 0 || tokens[i] >= this.vocabSize) {
        throw new OptionError(`token ${i} is ${tokens[i]}: ids run from 0 to ${this.vocabSize - 1}`);
      }
    }
    if (before + tokens.length > this.contextLength) {
      throw new OptionError(
        `${before + tokens.length} tokens are asked for: the context holds ${this.contextLength}`,
      );
    }
  }

  private checkFeed({ sequence, position, tokens, sharpening, ask, ahead }: Feed): void {
    const { length } = sequence;
    own(sequence).check();
    if (!isBelow(position, length + 1)) refuse('position', position, `a whole number up to ${length}`);
    check('tokens', '[]', tokens.length > 0, 'at least one token is fed');
    this.checkTokens(tokens, position);
    checkSharpening(sharpening);
    if (typeof ask === 'object' && 'token' in ask) this.checkTokens([ask.token], 0);
    if (!ahead) return;
    const { most, key } = ahead;
    if (!isBelow(most, MOST_STEPS)) refuse('ahead.most', most, `a whole number below ${MOST_STEPS}`);
    if (tokens.length !== 1) refuse('tokens', `${tokens.length} of them`, 'one where more are drawn ahead');
    if (position !== length) refuse('position', position, `${length} where more are drawn ahead`);
    if (position + 1 + most > this.contextLength) {
      throw new OptionError(
        `${position + 1 + most} tokens are asked for: the context holds ${this.contextLength}`,
      );
    }
    check('key.chain', key.chain, isBelow(key.chain, 2 ** 32), 'a whole number below 2^32');
    check('key.step', key.step, isBelow(key.step, 2 ** 24), 'a whole number below 2^24');
    check('key.candidate', key.candidate, isBelow(key.candidate, 256), 'a whole number below 256');
  }
}

const endOf = ({ position, tokens, ahead }: Feed): number => position + tokens.length + (ahead?.most ?? 0);

function own(sequence: Sequence): CachedSequence {
  return sequence as CachedSequence; // the engine hands out no others
}

function check(name: string, value: unknown, good: boolean, allowed: string): void {
  if (!good) refuse(name, value, allowed);
}

function refuse(name: string, value: unknown, allowed: string): never {
  throw new OptionError(`${name} is ${value}: ${allowed}`);
}

const isBelow = (n: number, limit: number) => Number.isInteger(n) && n >= 0 && n < limit;

/** Beyond these the f32 arithmetic of the GPU would leave its range. */
function checkSharpening({ temperature, alpha }: Sharpening): void {
  const fine = temperature === 0 || (temperature >= 1e-30 && temperature <= 1e30);
  check('temperature', temperature, fine, '0, or between 1e-30 and 1e30');
  check('alpha', alpha, alpha >= 1 && alpha <= 1e30, 'between 1 and 1e30');
}
