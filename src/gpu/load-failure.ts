/** What the native part of the npm package "webgpu" asks of a Linux, or what a Linux has of it. */
export interface Versions {
  /** As in "2.36"; undefined where the C library is another, such as musl. */
  readonly glibc?: string;
  /** Newest version that libstdc++ defines, as in "3.4.30"; undefined where it is not there. */
  readonly glibcxx?: string;
}

export interface LoadFailure {
  /** What the dynamic loader or Node said. */
  readonly message: string;
  readonly platform: string;
  readonly arch: string;
  readonly needs: Versions;
  readonly has: Versions;
}

/** Why "webgpu" does not load, and what helps. The message itself where it is of another kind. */
export function explainLoadFailure({ message, platform, arch, needs, has }: LoadFailure): string {
  if (/Cannot find package/.test(message)) return 'it is not installed: npm install webgpu';
  if (/Cannot find module .*dawn\.node/.test(message)) return `it has no build for ${platform} on ${arch}`;
  const missing =
    /version `([A-Z]+_[\d.]+)' not found/.exec(message)?.[1] ??
    /(?:Error loading shared library )?([^\s:]+\.so[\w.]*): (?:cannot open shared object file|No such file)/.exec(
      message,
    )?.[1];
  const musl = platform === 'linux' && has.glibc === undefined;
  if (missing === undefined && !musl) return message.trim();

  const wanted = list(
    needs.glibc && `glibc ${needs.glibc}`,
    needs.glibcxx && `GLIBCXX_${needs.glibcxx} of libstdc++`,
  );
  const libc = musl ? 'another C library than glibc (musl, as Alpine has)' : `glibc ${has.glibc}`;
  const found = list(libc, has.glibcxx ? `GLIBCXX_${has.glibcxx}` : 'no libstdc++');
  const first = missing === undefined ? '' : ` (${missing} is missing)`;
  return `it needs ${wanted || 'glibc and libstdc++'}, and here is ${found}${first}. ${ENOUGH}`;
}

/** Those whose libstdc++ is GCC 12's, which has GLIBCXX_3.4.30. */
const ENOUGH =
  'Debian 12, Ubuntu 22.04, Fedora 36, RHEL 10 and what is newer have enough; so has a container of one of these';

const list = (...texts: (string | undefined)[]) => texts.filter(Boolean).join(' and ');

/** What `explainLoadFailure` goes by, read from this machine. */
export async function readLoadFailure({ message }: Error): Promise<LoadFailure> {
  const { existsSync, readFileSync } = await import('node:fs');
  const { createRequire } = await import('node:module');
  const { platform, arch } = process;
  const failure = { message, platform, arch, needs: {}, has: {} };
  if (platform !== 'linux') return failure;

  /** The newest version of a name that a library defines or asks for: both stand in its table of strings. */
  const newest = (name: string, file: string | undefined) => {
    if (!file || !existsSync(file)) return undefined;
    const found = readFileSync(file, 'latin1').matchAll(
      new RegExp(`\0${name}_(\\d+(?:\\.\\d+)+)(?=\0)`, 'g'),
    );
    const compare = new Intl.Collator('en', { numeric: true }).compare;
    return Array.from(found, ([, version]) => version)
      .sort(compare)
      .at(-1);
  };
  const native = nativePart(createRequire(import.meta.url));
  const folders = (process.env.LD_LIBRARY_PATH ?? '').split(':').filter(Boolean);
  const libraries = [...folders, ...LIBRARIES].map((folder) => `${folder}/libstdc++.so.6`);
  const report = process.report?.getReport() as { header: { glibcVersionRuntime?: string } } | undefined;
  return {
    ...failure,
    needs: { glibc: newest('GLIBC', native), glibcxx: newest('GLIBCXX', native) },
    has: {
      glibc: report?.header.glibcVersionRuntime,
      glibcxx: newest('GLIBCXX', libraries.find(existsSync)),
    },
  };
}

/** In the order of the dynamic loader. */
const LIBRARIES = [
  `/usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`,
  '/usr/lib64',
  '/usr/lib',
];

function nativePart(require: NodeJS.Require): string | undefined {
  try {
    return require.resolve(`webgpu/dist/linux-${process.arch}/dawn.node`);
  } catch {
    return undefined; // the package is not there
  }
}
