import { type CachedSequence, type KvCache, PAGE, type PageCopy } from '../cache/kv-cache.ts';
import type { ModelConfig } from '../checkpoint/config.ts';
import { NonFiniteError, OptionError } from '../errors.ts';
import type { Gpu } from '../gpu/device.ts';
import { RING, SPAN } from '../model/operations.ts';
import { type Batch, type Qwen2, RESULT_BYTES, ROW_BYTES } from '../model/qwen2.ts';
import type { Continuation, DecodeRow, LanguageModel, RngKey, Sequence } from './language-model.ts';

/** What a row in GPU memory is to do; see struct Row in shaders/row.wgsl. */
interface RowState {
  sequence: CachedSequence;
  /** To be fed. */
  token: number;
  position: number;
  /** Positions from here on are not computed. */
  limit: number;
  /** The token to score; absent to draw one. */
  given?: number;
  temperature: number;
  alpha: number;
  topK?: number;
  topP?: number;
  key: RngKey;
}

/** One call of `decode`. */
interface Call {
  readonly flights: readonly Flight[];
  readonly signal?: AbortSignal;
  readonly keepGoing?: (soFar: readonly Continuation[]) => boolean;
  /** Tokens of each row at which keepGoing is called next; Infinity where there is none. */
  look: number;
  readonly finish: (error?: unknown) => void;
}

/** A row in flight. */
interface Flight {
  readonly call: Call;
  readonly row: DecodeRow;
  readonly sequence: CachedSequence;
  readonly start: number;
  readonly result: Growing;
  /** Pages set aside and not yet taken. */
  reserved: number;
  done: boolean;
}

const NO_KEY: RngKey = { seed: 0n, chain: 0, step: 0, candidate: 0 };
const NONE = 0xffffffff;

/**
 * Tokens until a watched call is looked at for the first time. Who watches a call most often ends it early, and what is decoded
 * beyond that is lost: it is looked at again after as many tokens as there are, at most a ring of them.
 */
const FIRST_LOOK = 4;

/** Microtasks that a batch waits for calls, so that rows whose step has just ended are in it again with their next one. */
const TURNS = 64;

/** Rows of tokens in lockstep: prefill, decode, fork, rollback, on one GPU. */
export class Engine implements LanguageModel {
  readonly vocabSize: number;
  readonly contextLength: number;
  readonly cachePositions: number;
  readonly eosTokens: ReadonlySet<number>;
  private readonly gpu: Gpu;
  private readonly model: Qwen2;
  private readonly cache: KvCache;
  private readonly tied: boolean;
  private flights: Flight[] = [];
  private pumping = false;

  constructor(gpu: Gpu, config: ModelConfig, model: Qwen2, cache: KvCache, contextLength: number) {
    this.gpu = gpu;
    this.model = model;
    this.cache = cache;
    this.tied = config.tieWordEmbeddings;
    this.vocabSize = config.vocabSize;
    this.contextLength = contextLength;
    this.cachePositions = cache.pages * PAGE;
    this.eosTokens = new Set(config.eosTokens);
  }

  async prefill(tokens: ArrayLike<number>): Promise<Sequence> {
    if (tokens.length === 0) throw new OptionError('the prompt is empty: at least one token is needed');
    this.checkTokens(tokens, 0);
    const sequence = this.cache.sequence(tokens);
    try {
      const end = sequence.length - 1;
      this.cache.reserve(sequence.pagesNeeded(end), `a prompt of ${tokens.length} tokens`);
      sequence.makeWritable(end, []); // shares no page yet
      while (sequence.valid < end) {
        const positions = Math.min(end, sequence.valid + this.model.capacity);
        const count = Math.min(this.model.rowsAt(positions), end - sequence.valid);
        const encoder = this.gpu.device.createCommandEncoder();
        const shared = this.writeRows(this.positions(sequence, sequence.valid, count));
        const pass = encoder.beginComputePass();
        this.model.forward(pass, { rows: count, positions, shared, prefill: true });
        pass.end();
        this.gpu.device.queue.submit([encoder.finish()]);
        sequence.valid += count;
      }
      await this.gpu.device.queue.onSubmittedWorkDone();
      this.gpu.check();
      return sequence;
    } catch (error) {
      sequence.free();
      throw error;
    }
  }

  async decode(
    rows: DecodeRow[],
    signal?: AbortSignal,
    keepGoing?: (soFar: readonly Continuation[]) => boolean,
  ): Promise<Continuation[]> {
    signal?.throwIfAborted();
    this.gpu.check();
    if (rows.length === 0) return [];
    for (const row of rows) this.checkRow(row);
    if (new Set(rows.map((row) => row.sequence)).size < rows.length) {
      throw new OptionError('a sequence stands in two rows of one decode call: fork it');
    }
    const needs = rows.map(({ sequence, maxTokens }) =>
      own(sequence).pagesNeeded(sequence.length - 1 + maxTokens),
    );
    this.cache.reserve(
      needs.reduce((a, b) => a + b, 0),
      `decoding ${rows.length} row(s)`,
    );
    const flights: Flight[] = [];
    await new Promise<void>((resolve, reject) => {
      const finish = (error?: unknown) => (error === undefined ? resolve() : reject(error));
      const call: Call = { flights, signal, keepGoing, look: keepGoing ? FIRST_LOOK : Infinity, finish };
      for (const [i, row] of rows.entries()) {
        const sequence = own(row.sequence);
        sequence.busy = true;
        const result = new Growing(row);
        const start = sequence.length;
        flights.push({ call, row, sequence, start, result, reserved: needs[i], done: false });
      }
      this.flights.push(...flights);
      void this.pump();
    });
    return flights.map(({ result }) => result.continuation());
  }

  async score(
    sequence: Sequence,
    tokens: ArrayLike<number>,
    at: { temperature: number; alpha: number },
  ): Promise<Continuation> {
    const s = own(sequence);
    s.check();
    this.checkTokens(tokens, s.length);
    checkStatistics(at);
    if (tokens.length === 0) return new Growing(at).continuation();
    const result = new Growing(at);
    const start = s.length;
    const end = start - 1 + tokens.length;
    const what = `scoring ${tokens.length} tokens`;
    this.cache.reserve(s.pagesNeeded(end), what);
    s.busy = true;
    for (let i = 0; i < tokens.length; i++) s.tokens.push(tokens[i]);
    try {
      const copies: PageCopy[] = [];
      s.makeWritable(end, copies);
      for (let first = start - 1; first < end; ) {
        const count = Math.min(this.model.rowsAt(end), end - first);
        const states = this.positions(s, first, count).map((state) => ({
          ...state,
          ...at,
          given: s.tokens.at(state.position + 1),
        }));
        const shared = this.writeRows(states);
        const results = await this.steps({ rows: count, positions: end, shared }, 1, false, copies.splice(0));
        s.valid = Math.max(s.valid, first + count);
        for (const [i, state] of states.entries()) await this.take(results, i, 0, result, state, state.token);
        first += count;
      }
    } catch (error) {
      s.busy = false;
      s.rollback(start);
      throw error;
    }
    s.busy = false;
    if (this.eosTokens.has(s.tokens.at(end))) result.finish = 'eos';
    return result.continuation();
  }

  /** Logits after every one of `tokens`, f32 [tokens][vocabulary]: for tests and tools, samplers never need them. */
  async logits(tokens: ArrayLike<number>): Promise<Float32Array> {
    this.checkTokens(tokens, 0);
    const sequence = this.cache.sequence(tokens);
    const all = new Float32Array(tokens.length * this.vocabSize);
    try {
      this.cache.reserve(sequence.pagesNeeded(tokens.length), `a prompt of ${tokens.length} tokens`);
      sequence.makeWritable(tokens.length, []);
      for (let done = 0; done < tokens.length; ) {
        const most = Math.min(this.model.rowsAt(tokens.length), this.model.logitRows);
        const count = Math.min(most, tokens.length - done);
        const states = this.positions(sequence, done, count);
        const shared = this.writeRows(states.map((state) => ({ ...state, topK: this.vocabSize }))); // writes them out
        const encoder = this.gpu.device.createCommandEncoder();
        const pass = encoder.beginComputePass();
        this.model.forward(pass, { rows: count, positions: tokens.length, shared });
        this.model.head(pass, count);
        pass.end();
        const bytes = await this.gpu.read(encoder, this.model.logits, count * this.vocabSize * 4);
        all.set(new Float32Array(bytes), done * this.vocabSize);
        done += count;
      }
    } finally {
      sequence.free();
    }
    return all;
  }

  /** Runs chunks of decoding steps for all rows in flight until there are none. Rows join and leave between chunks. */
  private async pump(): Promise<void> {
    if (this.pumping) return;
    this.pumping = true;
    while (this.flights.length > 0) {
      for (let turn = 0; turn < TURNS; turn++) await null;
      for (const { call } of this.flights) if (call.signal?.aborted) this.abandon(call, call.signal.reason);
      const batch = this.nextBatch();
      if (batch.length === 0) break; // all aborted
      try {
        await this.chunk(batch);
      } catch (error) {
        for (const call of new Set(this.flights.map(({ call }) => call))) this.abandon(call, error); // the device failed
      }
    }
    this.pumping = false;
  }

  /** As many rows, in the order in which they came, as one pass can take. */
  private nextBatch(): Flight[] {
    const batch: Flight[] = [];
    let most = this.model.capacity;
    let positions = 0;
    for (const flight of this.flights) {
      if (left(flight) === 0) continue;
      positions = Math.max(positions, flight.sequence.length + Math.min(RING, left(flight)) - 1);
      const withRow = isTruncated(flight.row) ? Math.min(most, this.model.logitRows) : most;
      if (batch.length >= Math.min(withRow, this.model.rowsAt(positions))) break;
      most = withRow;
      batch.push(flight);
    }
    return batch;
  }

  private async chunk(batch: Flight[]): Promise<void> {
    const remaining = batch.map(left);
    const looks = batch.map(({ call, result }) => call.look - result.length);
    const steps = Math.min(RING, Math.max(...remaining), ...looks);
    const positions = batch.map(({ sequence }) => sequence.length - 1);
    const states = batch.map(({ row, sequence }, i): RowState => {
      const limit = positions[i] + Math.min(steps, remaining[i]);
      return { ...row, sequence, token: sequence.tokens.at(positions[i]), position: positions[i], limit };
    });
    const copies: PageCopy[] = [];
    batch.forEach((flight, i) => {
      flight.reserved -= flight.sequence.makeWritable(states[i].limit, copies);
    });
    const shared = this.writeRows(states);
    const truncate = batch.some(({ row }) => isTruncated(row));
    const positionsAtEnd = Math.max(...states.map(({ limit }) => limit));
    const rows = { rows: batch.length, positions: positionsAtEnd, shared };
    const results = await this.steps(rows, steps, truncate, copies);

    const failures = new Map<Call, unknown>();
    for (const [i, flight] of batch.entries()) {
      if (failures.has(flight.call)) continue;
      try {
        await this.collect(flight, results, i, states[i]);
      } catch (error) {
        failures.set(flight.call, error);
      }
    }
    for (const call of new Set(batch.map(({ call }) => call))) {
      if (!call.keepGoing || failures.has(call) || call.flights.every(({ done }) => done)) continue;
      if (call.flights.some((flight) => left(flight) > 0)) continue;
      call.look += Math.min(call.look, RING);
      try {
        if (!call.keepGoing(call.flights.map(({ result }) => result.continuation()))) giveUp(call);
      } catch (error) {
        failures.set(call, error);
      }
    }
    for (const flight of this.flights) if (flight.done) this.unreserve(flight);
    this.flights = this.flights.filter(({ done }) => !done);
    for (const call of new Set(batch.map(({ call }) => call))) {
      if (failures.has(call)) this.abandon(call, failures.get(call));
      else if (call.flights.every(({ done }) => done)) this.complete(call);
    }
  }

  /** Takes a row's results of one chunk. */
  private async collect(flight: Flight, results: DataView, index: number, state: RowState): Promise<void> {
    const { row, sequence, result } = flight;
    const before = result.length;
    for (let step = 0; state.position + step < state.limit && result.finish !== 'eos'; step++) {
      const fed = result.length > before ? result.tokens[result.length - 1] : state.token;
      await this.take(results, index, step, result, { ...state, position: state.position + step }, fed);
      if (this.eosTokens.has(result.tokens[result.length - 1])) result.finish = 'eos';
    }
    sequence.append(result.tokens.slice(before));
    flight.done = result.finish === 'eos' || result.length === row.maxTokens;
  }

  private unreserve(flight: Flight): void {
    this.cache.unreserve(flight.reserved);
    flight.reserved = 0;
  }

  private complete(call: Call): void {
    for (const { sequence } of call.flights) sequence.busy = false;
    call.finish();
  }

  /** Ends a call with an error; its rows are as they were at the call, those that had ended as well. */
  private abandon(call: Call, error: unknown): void {
    for (const flight of call.flights) {
      this.unreserve(flight);
      flight.sequence.busy = false;
      flight.sequence.rollback(flight.start);
    }
    this.flights = this.flights.filter((flight) => flight.call !== call);
    call.finish(error);
  }

  /** States of rows that feed tokens `first` to `first + count` of a sequence, all of which it holds. */
  private positions(sequence: CachedSequence, first: number, count: number): RowState[] {
    return Array.from({ length: count }, (_, i) => ({
      sequence,
      token: sequence.tokens.at(first + i),
      position: first + i,
      limit: first + i + 1,
      temperature: 1,
      alpha: 1,
      key: NO_KEY,
    }));
  }

  /**
   * Writes rows and block tables for the next submission. The last workgroup is filled up with inert rows. Returns the most
   * leading spans that a team of rows has in common.
   */
  private writeRows(states: readonly RowState[]): number {
    const { rowMultiple } = this.model;
    const data = new DataView(
      new ArrayBuffer(Math.ceil(states.length / rowMultiple) * rowMultiple * ROW_BYTES),
    );
    const shared = this.sharedSpans(states);
    const tables: number[] = [];
    const starts = new Map<CachedSequence, number>();
    states.forEach(({ sequence, token, position, limit, given, temperature, alpha, topK, topP, key }, i) => {
      let table = starts.get(sequence);
      if (table === undefined) {
        table = tables.length;
        starts.set(sequence, table);
        for (const page of sequence.table.view()) tables.push(page);
      }
      const words = [token, position, table, sequence.valid, limit, given ?? NONE];
      words.push(Number(key.seed & 0xffffffffn), Number((key.seed >> 32n) & 0xffffffffn));
      words.push(key.chain, key.step * 256 + key.candidate);
      words.forEach((word, j) => {
        data.setUint32(i * ROW_BYTES + 4 * j, word, true);
      });
      data.setFloat32(i * ROW_BYTES + 40, temperature > 0 ? 1 / temperature : 0, true);
      data.setFloat32(i * ROW_BYTES + 44, alpha, true);
      data.setUint32(i * ROW_BYTES + 48, topK ?? 0, true);
      data.setFloat32(i * ROW_BYTES + 52, topP ?? 1, true);
      data.setUint32(i * ROW_BYTES + 60, 1, true);
      data.setUint32(i * ROW_BYTES + 64, i * Math.floor(this.model.slots / states.length), true);
      data.setUint32(i * ROW_BYTES + 68, shared[i], true);
    });
    this.gpu.device.queue.writeBuffer(this.model.rows, 0, data.buffer as ArrayBuffer);
    if (tables.length > 0) this.gpu.device.queue.writeBuffer(this.model.tables, 0, new Uint32Array(tables));
    return Math.max(...shared);
  }

  /** For each row, the leading spans that it has in common with all rows of its team: the same pages, attended to in full by each. */
  private sharedSpans(states: readonly RowState[]): number[] {
    const { team } = this.model;
    const shared = states.map(() => 0);
    if (team === 1) return shared;
    for (let first = 0; first + team <= states.length; first += team) {
      const rows = states.slice(first, first + team);
      const pages = rows[0].sequence.table;
      let common = Math.floor((Math.min(...rows.map(({ position }) => position)) + 1) / PAGE);
      for (const { sequence } of rows) {
        if (sequence === rows[0].sequence) continue;
        let same = 0;
        while (same < common && sequence.table.at(same) === pages.at(same)) same++;
        common = same;
      }
      shared.fill(Math.floor((common * PAGE) / SPAN), first, first + team);
    }
    return shared;
  }

  /** Runs decoding steps of the rows that were written, after `copies`, and reads their results. */
  private async steps(batch: Batch, steps: number, truncate: boolean, copies: PageCopy[]): Promise<DataView> {
    const encoder = this.gpu.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    this.model.copyPages(pass, copies);
    for (let step = 0; step < steps; step++) {
      this.model.forward(pass, batch);
      this.model.head(pass, batch.rows);
      this.model.draw(pass, batch.rows, truncate);
    }
    pass.end();
    return new DataView(await this.gpu.read(encoder, this.model.ring, batch.rows * RING * RESULT_BYTES));
  }

  /**
   * Adds the result of one row and step, drawn after `fed` at `state.position`, to `result`.
   * @throws NonFiniteError naming the first layer that went wrong.
   */
  private async take(
    results: DataView,
    index: number,
    step: number,
    result: Growing,
    state: RowState,
    fed: number,
  ): Promise<void> {
    const at = (index * RING + step) * RESULT_BYTES;
    if (results.getUint32(at + 4, true) !== 0) throw await this.diagnose(state, fed);
    const f32 = (i: number) => results.getFloat32(at + 4 * i, true);
    result.add(results.getUint32(at, true), f32(2), f32(3), f32(4), f32(5), f32(6));
  }

  /** Feeds one token again, a half layer more each time, until the stream holds a value that is not finite. */
  private async diagnose(state: RowState, fed: number): Promise<NonFiniteError> {
    const { gpu, model } = this;
    const halves = 2 * model.numLayers;
    for (let stop = 0; stop <= halves; stop++) {
      const sequence = this.cache.sequence([]);
      sequence.table = state.sequence.table;
      sequence.valid = state.position + 1; // computes, writes nothing
      this.writeRows([{ ...state, sequence, token: fed, limit: state.position + 1 }]);
      const encoder = gpu.device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      model.forward(pass, { rows: 1, positions: state.position + 1, shared: 0 }, stop);
      pass.end();
      const stream = new Float32Array(
        await gpu.read(encoder, model.stream, model.stream.size / model.capacity),
      );
      if (stream.every(Number.isFinite)) continue;
      const layer = (stop - 1) >> 1;
      const name = stop % 2 === 1 ? `model.layers.${layer}.self_attn` : `model.layers.${layer}.mlp`;
      return new NonFiniteError(stop === 0 ? 'model.embed_tokens' : name, state.position);
    }
    return new NonFiniteError(this.tied ? 'model.embed_tokens (as lm_head)' : 'lm_head', state.position);
  }

  private checkTokens(tokens: ArrayLike<number>, before: number): void {
    for (let i = 0; i < tokens.length; i++) {
      if (!Number.isInteger(tokens[i]) || tokens[i] < 0 || tokens[i] >= this.vocabSize) {
        throw new OptionError(`token ${i} is ${tokens[i]}: ids run from 0 to ${this.vocabSize - 1}`);
      }
    }
    this.checkLength(before + tokens.length);
  }

  private checkLength(length: number): void {
    if (length > this.contextLength) {
      throw new OptionError(`${length} tokens are asked for: the context holds ${this.contextLength}`);
    }
  }

  private checkRow({ sequence, maxTokens, topK, topP, key, ...at }: DecodeRow): void {
    own(sequence).check();
    check('maxTokens', maxTokens, Number.isInteger(maxTokens) && maxTokens >= 1, 'a whole number from 1 on');
    this.checkLength(sequence.length + maxTokens);
    checkStatistics(at);
    const { seed, chain, step, candidate } = key;
    check(
      'topK',
      topK,
      topK === undefined || (Number.isInteger(topK) && topK >= 1),
      'a whole number from 1 on',
    );
    check('topP', topP, topP === undefined || (topP > 0 && topP <= 1), 'above 0, at most 1');
    check('key.seed', seed, typeof seed === 'bigint', 'a bigint');
    check('key.chain', chain, isBelow(chain, 2 ** 32), 'a whole number below 2^32');
    check('key.step', step, isBelow(step, 2 ** 24), 'a whole number below 2^24');
    check('key.candidate', candidate, isBelow(candidate, 256), 'a whole number below 256');
  }
}

function check(name: string, value: unknown, good: boolean, allowed: string): void {
  if (!good) throw new OptionError(`${name} is ${value}: ${allowed}`);
}

const isBelow = (n: number, limit: number) => Number.isInteger(n) && n >= 0 && n < limit;

/** Beyond these the f32 arithmetic of the GPU would leave its range. */
function checkStatistics({ temperature, alpha }: { temperature: number; alpha: number }): void {
  const fine = temperature === 0 || (temperature >= 1e-30 && temperature <= 1e30);
  check('temperature', temperature, fine, '0, or between 1e-30 and 1e30');
  check('alpha', alpha, alpha >= 1 && alpha <= 1e30, 'between 1 and 1e30');
}

const isTruncated = ({ topK, topP }: DecodeRow): boolean => topK !== undefined || topP !== undefined;

/** Tokens that a row may take before its call is looked at or it is at its end. A matter of the call alone, not of the batch. */
const left = ({ call, row, result, done }: Flight): number =>
  done ? 0 : Math.min(row.maxTokens, call.look) - result.length;

/** Ends the rows of a call that have not ended. */
function giveUp(call: Call): void {
  for (const flight of call.flights) {
    if (flight.done) continue;
    flight.result.finish = 'abandoned';
    flight.done = true;
  }
}

function own(sequence: Sequence): CachedSequence {
  return sequence as CachedSequence; // the engine hands out no others
}

/** A continuation under way. The GPU gives sums without their largest term (shaders/statistics.wgsl); logarithms are taken here in f64. */
class Growing {
  readonly tokens: number[] = [];
  finish: Continuation['finish'] = 'length';
  private readonly columns = {
    logp: [] as number[],
    logq: [] as number[],
    logZ: [] as number[],
    entropy: [] as number[],
  };
  private readonly inverseTemperature: number;
  private readonly alpha: number;

  constructor({ temperature, alpha }: { temperature: number; alpha: number }) {
    this.inverseTemperature = temperature > 0 ? Math.fround(1 / temperature) : 0; // as the GPU has it
    this.alpha = Math.fround(alpha);
  }

  get length(): number {
    return this.tokens.length;
  }

  add(token: number, distance: number, base: number, mean: number, sharp: number, tempered: number): void {
    const { logp, logq, logZ, entropy } = this.columns;
    const logBase = Math.log1p(base);
    this.tokens.push(token);
    logp.push(distance - logBase);
    logq.push(this.inverseTemperature > 0 ? distance * this.inverseTemperature - Math.log1p(tempered) : 0);
    logZ.push(Math.min(0, Math.log1p(sharp) - this.alpha * logBase)); // above 0 by rounding only
    entropy.push(Math.max(0, logBase - mean / (1 + base)));
  }

  continuation(): Continuation {
    const { logp, logq, logZ, entropy } = this.columns;
    return {
      tokens: Uint32Array.from(this.tokens),
      logp: Float32Array.from(logp),
      logq: Float32Array.from(logq),
      logZ: Float32Array.from(logZ),
      entropy: Float32Array.from(entropy),
      finish: this.finish,
    };
  }
}
