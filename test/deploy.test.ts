import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { pathToFileURL } from 'node:url';
import * as assert from 'uvu/assert';
import { test } from './support/suite.ts';

interface Step {
  readonly instruction: string;
  readonly text: string;
  readonly name?: string;
  readonly from?: string;
  readonly sources?: readonly string[];
  readonly variables?: Readonly<Record<string, string>>;
  readonly words?: readonly string[];
}

const { dockerIgnore, parseDockerfile } = await import(pathToFileURL('deploy/dockerfile.mjs').href);
const read = (file: string) => readFileSync(file, 'utf8');
const steps: Step[] = parseDockerfile(read('Dockerfile'));
const isIgnored: (path: string) => boolean = dockerIgnore(read('.dockerignore'));
const all = (instruction: string) => steps.filter((step) => step.instruction === instruction);
const { bin, scripts } = JSON.parse(read('package.json'));

test('a Dockerfile is read by instructions, continued lines and comments', () => {
  assert.equal(
    parseDockerfile('# a\nFROM a:1 AS b\nRUN x \\\n# c\n  && y\nCOPY --from=b p q r/\nCMD ["z", "1"]\n'),
    [
      { instruction: 'FROM', image: 'a:1', name: 'b', text: 'a:1 AS b' },
      { instruction: 'RUN', text: 'x    && y' },
      { instruction: 'COPY', from: 'b', sources: ['p', 'q'], target: 'r/', text: '--from=b p q r/' },
      { instruction: 'CMD', words: ['z', '1'], text: '["z", "1"]' },
    ],
  );
  for (const text of ['RUM x', 'run x', 'FROM', 'FROM a', 'COPY a', 'ENV a', 'CMD [z]']) {
    assert.throws(() => parseDockerfile(text), undefined, text);
  }
});

test('what .dockerignore names is left out, with what is in it, but for exceptions', () => {
  const isIgnored = dockerIgnore('# x\n**/a\nb*\nc/*\n!c/d.json\n');
  for (const path of ['a', 'x/a', 'x/y/a/z', 'b', 'b1', 'b/x', 'c/x', 'c/x/y'])
    assert.ok(isIgnored(path), path);
  for (const path of ['', 'ab', 'x/b', 'c', 'c/d.json']) assert.not.ok(isIgnored(path), path);
});

test('the image is built of what is there, by the commands of a checkout', () => {
  const begun = new Set<string | undefined>();
  for (const { instruction, name, from, sources = [] } of steps) {
    if (instruction === 'FROM') begun.add(name);
    if (from) {
      assert.ok(begun.has(from), `stage ${from}`);
      continue;
    }
    for (const source of sources) {
      assert.ok(existsSync(source), source);
      assert.not.ok(
        isIgnored(posix.normalize(source).replace(/^\.\/?/, '')),
        `${source} is in .dockerignore`,
      );
    }
  }
  const runs = all('RUN').map(({ text }) => text);
  for (const run of runs) assert.is(spawnSync('sh', ['-n', '-c', run]).status, 0, run);
  assert.ok(runs.some((run) => run.startsWith('npm ci ')));
  assert.ok(runs.includes('node scripts/setup.mjs --build'));
  assert.match(scripts.start, /^node scripts\/setup\.mjs && /);
});

test('what the build reads is in the context, what it makes and what is large is not', () => {
  const { include } = JSON.parse(read('tsconfig.json'));
  const folders = ['scripts', 'shaders', ...include];
  const sources = folders
    .flatMap((folder) =>
      readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((file) => join(folder, file)),
    )
    .filter((file) => /\.(ts|mjs|wgsl)$/.test(file) && !file.includes('node_modules'));
  assert.ok(sources.length > 200);
  for (const file of [
    ...sources,
    'tsconfig.json',
    'package-lock.json',
    '.npmrc',
    'models/abacus/config.json',
  ]) {
    assert.not.ok(isIgnored(file), file);
  }
  for (const path of ['node_modules', 'test/browser/node_modules', '.git', 'dist', '.swiftshader']) {
    assert.ok(isIgnored(path), path);
  }
});

test('what is in the image can be run by its user, and computes on a GPU or not at all', () => {
  const final = steps.slice(steps.findLastIndex(({ instruction }) => instruction === 'FROM'));
  const last = (instruction: string) => final.findLast((step) => step.instruction === instruction);
  assert.is(last('USER')?.text, 'node');
  assert.equal(last('ENTRYPOINT')?.words, ['egps']);
  const link = final.find(({ text }) => text.startsWith('ln -s'))?.text;
  assert.is(link, `ln -s /egps/${bin.egps} /usr/local/bin/egps`);
  const copied = final.flatMap(({ from, sources = [] }) => (from ? sources : []));
  assert.ok(
    copied.some((source) => `/egps/${bin.egps}`.startsWith(source)),
    `${bin.egps} is copied`,
  );

  const variables = Object.assign({}, ...final.map((step) => step.variables));
  assert.ok(variables.NVIDIA_DRIVER_CAPABILITIES.split(',').includes('graphics'));
  for (const { text } of final.filter((step) => step.instruction === 'RUN')) {
    if (text.includes('apt-get install')) assert.match(text, '--no-install-recommends');
    assert.not.match(text, /mesa|swiftshader/i);
  }
});

test('the Kubernetes Jobs belong together, and say what they need', () => {
  const [shards, merge] = ['eval-indexed-job', 'eval-merge-job'].map((name) => read(`examples/${name}.yaml`));
  const one = (text: string, pattern: RegExp) => {
    const found = Array.from(text.matchAll(pattern), ([, value]) => value);
    assert.is(found.length, 1, `${pattern}`);
    return found[0];
  };
  const count = one(shards, /--shard=auto\/(\d+)/g);
  assert.is(one(shards, /^ {2}completions: (\d+)/gm), count);
  assert.is(one(merge, /^ {12}- (\/.*)$/gm), one(shards, /--out=(.*)/g));
  for (const pattern of [/claimName: (.*)/g, /mountPath: (.*)/g, / image: (.*)/g]) {
    assert.is(one(merge, pattern), one(shards, pattern));
  }
  for (const text of [shards, merge]) {
    assert.match(text, / requests:\n +cpu: .*\n +memory: .*\n +limits:\n +cpu: .*\n +memory: /);
  }
  assert.match(shards, / limits:\n.*\n.*\n +nvidia\.com\/gpu: 1\n/);
  assert.match(merge, `wait --for=condition=complete --timeout=-1s job/${one(shards, /^ {2}name: (.*)/gm)}`);
});

test.run();
