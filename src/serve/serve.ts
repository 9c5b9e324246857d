import { createHash } from 'node:crypto';
import type { GenerativeModel } from '../api/generate.ts';
import type { Tokenizer } from '../checkpoint/tokenizer.ts';
import { Forest } from '../tree/forest.ts';
import { createApp } from './app.ts';
import { BodyBudget } from './body.ts';
import { chat } from './chat.ts';
import { completions } from './completions.ts';
import type { Server } from './context.ts';
import { Desk } from './desk.ts';
import { Lives } from './life.ts';
import { type Listening, listen } from './listen.ts';
import { Metrics } from './metrics.ts';
import { pageEvents } from './page-events.ts';
import type { Settings } from './settings.ts';
import { Traces } from './traces.ts';

/** Bytes of a request's body, and of all that are kept at a time. */
const BODY = 4 << 20;
const BODIES = 64 << 20;
/** Prefixes that are kept of a prompt, about a kilobyte each: there are many prompts at a time. */
const TREE_NODES = 16_384;

export interface Served {
  readonly model: GenerativeModel & { readonly tokenizer: Tokenizer };
  /** The name by which clients ask for the model. */
  readonly name: string;
  /** What computes. */
  readonly adapter: string;
  readonly version: string;
}

/** A server that answers. */
export interface Serving {
  /** http://HOST:PORT */
  readonly url: string;
  /** Requests under way. */
  readonly underWay: number;
  /** Takes no more requests, and waits for the answers under way. */
  drain(): Promise<void>;
  /** Gives them up. */
  close(): Promise<void>;
}

/** Answers over HTTP. @throws OutputError where the address is not to be had */
export async function serve(
  { model, name, adapter, version }: Served,
  settings: Settings,
  log: (line: string) => void,
): Promise<Serving> {
  const desk = new Desk(settings.concurrency, settings.queue);
  const lives = new Lives();
  const metrics = new Metrics({
    chains_running: { help: 'Chains that are computed now.', value: () => desk.taken },
    chains_waiting: { help: 'Chains that wait for a place.', value: () => desk.waiting },
    requests_under_way: { help: 'Requests that are not yet answered.', value: () => lives.count },
  });
  const what = [version, adapter, name].join('\n');
  let draining = false;
  const server: Server = {
    model,
    name,
    adapter,
    fingerprint: `egps_${createHash('sha256').update(what).digest('hex').slice(0, 10)}`,
    created: Math.floor(Date.now() / 1000),
    settings,
    forest: new Forest(model, {
      tree: 'on',
      draft: 'auto',
      treeNodes: Math.max(TREE_NODES, 2 * settings.maxTokens),
    }),
    desk,
    lives,
    metrics,
    traces: new Traces(),
    body: { most: BODY, patience: settings.patience, budget: new BodyBudget(BODIES) },
    isDraining: () => draining,
    log,
  };
  const app = createApp(server, {
    '/v1/completions': completions,
    '/v1/chat/completions': chat,
    '/egps/events': pageEvents,
  });
  const http: Listening = await listen(
    app,
    settings.host,
    settings.port,
    settings.concurrency + settings.queue,
    settings.deadline + settings.patience,
  );
  return {
    url: http.url,
    get underWay() {
      return lives.count;
    },
    async drain() {
      draining = true;
      http.stopListening();
      await lives.over();
      await http.sent();
    },
    async close() {
      draining = true;
      http.stopListening();
      lives.stop();
      await lives.over();
      await http.close();
    },
  };
}
