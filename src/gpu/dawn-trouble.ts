import { readFileSync } from 'node:fs';

/** What a binary is loaded on. */
export interface System {
  readonly platform: string;
  readonly arch: string;
  /** Version of glibc; null where the C library is another one, undefined where that is not known. */
  readonly glibc: string | null | undefined;
  /** A binary's bytes as latin1. @throws where it cannot be read */
  read(file: string): string;
}

/** Why the package `webgpu` does not load: what it needs and what is there, where that is the trouble, and what the loader says. */
export function trouble(cause: unknown, system: System = thisSystem()): string {
  const [said] = (cause instanceof Error ? cause.message : String(cause)).split('\n', 1);
  const reason = lack(said, system);
  return reason === undefined ? said : `${reason} (${said})`;
}

function lack(said: string, system: System): string | undefined {
  const [, binary] = /([^\s']+\.node)\b/.exec(said) ?? [];
  if (binary === undefined) return undefined;
  if (/^cannot find module/i.test(said)) return `it has no binary for ${system.platform}-${system.arch}`;
  if (system.platform !== 'linux') return undefined;
  const needs = (kind: string, told: string) => newest(binary, kind, system) ?? told;
  if (system.glibc === null || /^Error (loading shared library|relocating) /.test(said)) {
    return `it needs ${inWords(needs('GLIBC', 'glibc'))}, the C library here is another one, such as Alpine's musl`;
  }
  const [, library, told, kind] = /([^\s:]+): version `((GLIBC|GLIBCXX)_[\d.]+)' not found/.exec(said) ?? [];
  if (kind === 'GLIBC')
    return `it needs ${inWords(needs(kind, told))} or newer, here is ${system.glibc ?? 'an older one'}`;
  if (kind === 'GLIBCXX') {
    const here = newest(library, kind, system) ?? 'an older one';
    return `it needs a libstdc++ with ${needs(kind, told)}, here is ${here}`;
  }
  return undefined;
}

const inWords = (version: string) => version.replace('GLIBC_', 'glibc ');

/** The newest version of an interface that a binary names, as GLIBC_2.34. */
function newest(file: string, kind: string, { read }: System): string | undefined {
  let text: string;
  try {
    text = read(file);
  } catch {
    return undefined;
  }
  const named = new Set(Array.from(text.matchAll(new RegExp(`\\b${kind}_\\d+(\\.\\d+)+`, 'g')), ([v]) => v));
  return [...named].sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).at(-1);
}

function thisSystem(): System {
  const report = process.report?.getReport() as { header?: { glibcVersionRuntime?: string } } | undefined;
  return {
    platform: process.platform,
    arch: process.arch,
    glibc: report?.header && (report.header.glibcVersionRuntime ?? null),
    read: (file) => readFileSync(file, 'latin1'),
  };
}
