import * as assert from 'uvu/assert';
import { explainLoadFailure, readLoadFailure } from '../../src/gpu/load-failure.ts';
import { test } from '../support/suite.ts';

const NATIVE = '/app/node_modules/webgpu/dist/linux-x64/dawn.node';
const needs = { glibc: '2.34', glibcxx: '3.4.30' };

function explain(
  message: string,
  has: { glibc?: string; glibcxx?: string },
  arch = 'x64',
  platform = 'linux',
) {
  return explainLoadFailure({ message, platform, arch, needs, has });
}

test('an old Linux: what is needed, what is there, and the version that the loader missed', () => {
  const rhel9 = `/lib64/libstdc++.so.6: version \`GLIBCXX_3.4.30' not found (required by ${NATIVE})`;
  assert.match(
    explain(rhel9, { glibc: '2.34', glibcxx: '3.4.29' }),
    'it needs glibc 2.34 and GLIBCXX_3.4.30 of libstdc++, and here is glibc 2.34 and GLIBCXX_3.4.29 (GLIBCXX_3.4.30 is missing). Debian 12,',
  );
  const rhel8 = `/lib64/libm.so.6: version \`GLIBC_2.29' not found (required by ${NATIVE})`;
  assert.match(
    explain(rhel8, { glibc: '2.28', glibcxx: '3.4.25' }),
    'here is glibc 2.28 and GLIBCXX_3.4.25 (GLIBC_2.29 is missing)',
  );
});

test('a library that is not there', () => {
  const message = 'libstdc++.so.6: cannot open shared object file: No such file or directory';
  assert.match(
    explain(message, { glibc: '2.36' }),
    'here is glibc 2.36 and no libstdc++ (libstdc++.so.6 is missing)',
  );
});

test('musl, in whatever words its loader fails', () => {
  for (const [message, missing] of [
    [
      `Error loading shared library ld-linux-x86-64.so.2: No such file or directory (needed by ${NATIVE})`,
      ' (ld-linux-x86-64.so.2 is missing)',
    ],
    [`Error relocating ${NATIVE}: __isoc23_strtoul: symbol not found`, ''],
  ]) {
    assert.match(
      explain(message, { glibcxx: '3.4.33' }),
      `it needs glibc 2.34 and GLIBCXX_3.4.30 of libstdc++, and here is another C library than glibc (musl, as Alpine has) and GLIBCXX_3.4.33${missing}. `,
    );
  }
});

test('a platform without a build, and a package that is not there', () => {
  const absent = `Cannot find module '/app/node_modules/webgpu/dist/freebsd-x64/dawn.node'\nRequire stack:\n- /app/x.js`;
  assert.is(explain(absent, {}, 'x64', 'freebsd'), 'it has no build for freebsd on x64');
  const message = "Cannot find package 'webgpu' imported from /app/x.js";
  assert.is(explain(message, { glibc: '2.36' }), 'it is not installed: npm install webgpu');
});

test('what is not known is passed on as it is', () => {
  const message = 'The specified module could not be found.\n\\\\?\\C:\\app\\dawn.node\n';
  assert.is(explain(message, {}, 'x64', 'win32'), message.trim());
  const elf = `${NATIVE}: invalid ELF header`;
  assert.is(explain(elf, { glibc: '2.36', glibcxx: '3.4.30' }), elf);
});

if (process.platform === 'linux' && process.report) {
  test('where it loads, what it needs is read to be less than what is there', async () => {
    const read = await readLoadFailure(new Error(''));
    const newer = (a: string | undefined, b: string | undefined) =>
      (a ?? '').localeCompare(b ?? '', 'en', { numeric: true });
    assert.match(read.needs.glibc ?? '', /^2\.\d+$/);
    assert.match(read.needs.glibcxx ?? '', /^3\.4\.\d+$/);
    assert.ok(newer(read.has.glibc, read.needs.glibc) >= 0, JSON.stringify(read));
    assert.ok(newer(read.has.glibcxx, read.needs.glibcxx) >= 0, JSON.stringify(read));
  });
}

test.run();
