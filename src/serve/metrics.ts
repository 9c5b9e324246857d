interface Gauge {
  readonly help: string;
  value(): number;
}

/** Upper bounds, in seconds. */
const BUCKETS = [0.1, 0.3, 1, 3, 10, 30, 100, 300];

/** What has been answered, counted, in the text format of Prometheus. */
export class Metrics {
  private readonly requests = new Map<string, number>();
  private readonly durations = new Map<string, { counts: number[]; sum: number; count: number }>();
  private readonly tokens = { prompt: 0, completion: 0 };
  private readonly gauges: Readonly<Record<string, Gauge>>;

  constructor(gauges: Readonly<Record<string, Gauge>>) {
    this.gauges = gauges;
  }

  /** @param route one of the server's own: what clients make up must not become a label */
  request(route: string, status: number, seconds: number): void {
    const key = `route="${route}",status="${status}"`;
    this.requests.set(key, (this.requests.get(key) ?? 0) + 1);
    const label = `route="${route}"`;
    const known = this.durations.get(label) ?? { counts: BUCKETS.map(() => 0), sum: 0, count: 0 };
    this.durations.set(label, known);
    for (const [i, bound] of BUCKETS.entries()) if (seconds <= bound) known.counts[i]++;
    known.sum += seconds;
    known.count++;
  }

  used(prompt: number, completion: number): void {
    this.tokens.prompt += prompt;
    this.tokens.completion += completion;
  }

  text(): string {
    const lines: string[] = [];
    const family = (name: string, type: string, help: string, samples: readonly string[]) => {
      lines.push(`# HELP egps_${name} ${help}`, `# TYPE egps_${name} ${type}`);
      for (const sample of samples) lines.push(`egps_${name}${sample}`);
    };
    const requests = Array.from(this.requests, ([labels, value]) => `{${labels}} ${value}`);
    family('requests_total', 'counter', 'Requests answered, by route and status.', requests);
    const durations = Array.from(this.durations, ([label, { counts, sum, count }]) => [
      ...counts.map((value, i) => `_bucket{${label},le="${BUCKETS[i]}"} ${value}`),
      `_bucket{${label},le="+Inf"} ${count}`,
      `_sum{${label}} ${sum}`,
      `_count{${label}} ${count}`,
    ]);
    family('request_seconds', 'histogram', 'From the request to the end of its answer.', durations.flat());
    const tokens = Object.entries(this.tokens).map(([kind, value]) => `{kind="${kind}"} ${value}`);
    family('tokens_total', 'counter', 'Tokens of prompts, and of the answers to them.', tokens);
    for (const [name, { help, value }] of Object.entries(this.gauges)) {
      family(name, 'gauge', help, [` ${value()}`]);
    }
    return `${lines.join('\n')}\n`;
  }
}
