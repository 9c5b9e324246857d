/** npm run bench -- NAME [options]: see bench/README.md. */
import { OptionError } from '../src/base/errors.ts';
import { didYouMean } from '../src/base/nearest.ts';

interface Benchmark {
  about: string;
  load(): Promise<{ run(args: string[]): Promise<void> }>;
}

export const BENCHMARKS: Readonly<Record<string, Benchmark>> = {
  roofline: { about: 'bandwidth and arithmetic peak of the adapter', load: () => import('./roofline.ts') },
  model: { about: 'prefill and decoding at the shapes people run', load: () => import('./model.ts') },
  kernels: {
    about: 'every multiplication by weights, and attention, against the roofline',
    load: () => import('./kernels.ts'),
  },
  peers: { about: 'other engines beside this one, in one run', load: () => import('./peers.ts') },
  cache: { about: 'fork, rollback and acceptance of candidates', load: () => import('./cache.ts') },
  decode: { about: 'decode rate of the embedded model', load: () => import('./decode.ts') },
  tree: { about: 'passes and rows with the prefix tree and without it', load: () => import('./tree.ts') },
  reproduce: { about: 'accuracy against cost of every sampler', load: () => import('./reproduce.ts') },
  eval: {
    about: 'what the evaluation itself costs, and whether it survives',
    load: () => import('./eval.ts'),
  },
  length: { about: 'what length costs every sampler; needs no adapter', load: () => import('./length.ts') },
};

async function main([name, ...rest]: string[]): Promise<void> {
  if (name === '--help' || name === '-h') return console.log(help());
  if (name === undefined) throw new OptionError(`which benchmark?\n${help()}`);
  if (!Object.hasOwn(BENCHMARKS, name)) {
    const known = Object.keys(BENCHMARKS);
    throw new OptionError(`unknown benchmark ${JSON.stringify(name)}${didYouMean(name, known)}\n${help()}`);
  }
  await (await BENCHMARKS[name].load()).run(rest);
}

function help(): string {
  const lines = Object.entries(BENCHMARKS).map(([name, { about }]) => `  ${name.padEnd(10)}${about}`);
  return `Usage: npm run bench -- NAME [options]\n\n${lines.join('\n')}\n\n--help after a name tells its options.`;
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  const wrong = error instanceof OptionError;
  console.error(error instanceof Error ? (wrong ? `bench: ${error.message}` : error.stack) : String(error));
  process.exitCode = wrong ? 2 : 1;
}
