/** npm run bench -- NAME [options]: see bench/README.md. */
import { OptionError } from '../src/base/errors.ts';
import { didYouMean } from '../src/base/nearest.ts';

interface Program {
  about: string;
  load(): Promise<{ run(args: string[]): Promise<void> }>;
}

/** What an adapter and the code can do: to be run again on another machine, or after a change. */
const BENCHMARKS: Readonly<Record<string, Program>> = {
  roofline: { about: 'bandwidth and arithmetic peak of the adapter', load: () => import('./roofline.ts') },
  model: { about: 'prefill and decoding at the shapes people run', load: () => import('./model.ts') },
  kernels: {
    about: 'every multiplication by weights, and attention, against the roofline',
    load: () => import('./kernels.ts'),
  },
  cache: { about: 'fork, rollback and acceptance of candidates', load: () => import('./cache.ts') },
  decode: { about: 'decode rate of the embedded model', load: () => import('./decode.ts') },
  quantize: {
    about: 'what is lost where weights are quantised as they are loaded',
    load: () => import('./quantize.ts'),
  },
  tree: { about: 'passes and rows with the prefix tree and without it', load: () => import('./tree.ts') },
  serve: { about: 'what serving costs over the library alone', load: () => import('./serve.ts') },
  eval: {
    about: 'what the evaluation itself costs, and whether it survives',
    load: () => import('./eval.ts'),
  },
};

/** Questions that are answered once. */
const STUDIES: Readonly<Record<string, Program>> = {
  reproduce: {
    about: 'accuracy against cost of every sampler',
    load: () => import('./studies/reproduce.ts'),
  },
  peers: { about: 'other engines beside this one, in one run', load: () => import('./studies/peers.ts') },
  soak: {
    about: 'whether a server bears a crowd of clients, of whom some leave',
    load: () => import('./studies/soak.ts'),
  },
  length: {
    about: 'what length costs every sampler; needs no adapter',
    load: () => import('./studies/length.ts'),
  },
};

async function main([name, ...rest]: string[]): Promise<void> {
  if (name === '--help' || name === '-h') return console.log(help());
  if (name === undefined) throw new OptionError(`which benchmark?\n${help()}`);
  const programs = { ...BENCHMARKS, ...STUDIES };
  if (!Object.hasOwn(programs, name)) {
    const known = Object.keys(programs);
    throw new OptionError(`unknown benchmark ${JSON.stringify(name)}${didYouMean(name, known)}\n${help()}`);
  }
  await (await programs[name].load()).run(rest);
}

function help(): string {
  const list = (programs: Readonly<Record<string, Program>>) =>
    Object.entries(programs)
      .map(([name, { about }]) => `  ${name.padEnd(11)}${about}`)
      .join('\n');
  return (
    `Usage: npm run bench -- NAME [options]\n\n${list(BENCHMARKS)}\n\nStudies:\n${list(STUDIES)}\n\n` +
    '--help after a name tells its options.'
  );
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  const wrong = error instanceof OptionError;
  console.error(error instanceof Error ? (wrong ? `bench: ${error.message}` : error.stack) : String(error));
  process.exitCode = wrong ? 2 : 1;
}
