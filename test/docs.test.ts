import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as assert from 'uvu/assert';
import { test } from './support/suite.ts';

const PAGES = [
  'README.md',
  'CONTRIBUTING.md',
  ...readdirSync('docs')
    .filter((file) => file.endsWith('.md'))
    .map((file) => `docs/${file}`),
  'bench/README.md',
  'reference/README.md',
  'models/abacus/README.md',
];

const read = (file: string) => readFileSync(file, 'utf8');

/** The anchors of a page's headings, as GitHub makes them. */
function anchorsOf(page: string): Set<string> {
  const headings = read(page)
    .replace(/^```.*?^```/gms, '')
    .matchAll(/^#+ (.*)$/gm);
  return new Set(
    Array.from(headings, ([, title]) =>
      title
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

test('what pages link to is there', () => {
  let links = 0;
  for (const page of PAGES) {
    for (const [, link] of read(page).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(link)) continue;
      const [path, anchor] = link.split('#');
      const target = path ? join(dirname(page), path) : page;
      assert.ok(existsSync(target), `${page}: ${link}`);
      if (anchor) assert.ok(anchorsOf(target).has(anchor), `${page}: ${link}`);
      links++;
    }
  }
  assert.ok(links > 50, `${links} links`);
});

test('the files that CONTRIBUTING.md names are there', () => {
  const named = read('CONTRIBUTING.md').matchAll(
    /`((?:src|test|shaders|scripts|reference|bench|docs|deploy)\/[\w./-]+)`/g,
  );
  const files = Array.from(named, ([, file]) => file).filter((file) => !file.includes('NAME'));
  assert.ok(files.length > 8, `${files.length} files`);
  for (const file of files) assert.ok(existsSync(file), file);
});

test.run();
