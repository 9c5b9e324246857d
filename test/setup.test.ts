import { pathToFileURL } from 'node:url';
import * as assert from 'uvu/assert';
import { test } from './support/suite.ts';

const { parseOsRelease, parseSources, planDriver } = await import(
  pathToFileURL('scripts/setup-plan.mjs').href
);

const DEBIAN_12 =
  'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\nID=debian\n';
const DEBIAN_13 =
  'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nVERSION_ID="13"\nVERSION_CODENAME=trixie\nID=debian\n';
const UBUNTU_22 =
  'PRETTY_NAME="Ubuntu 22.04.5 LTS"\nVERSION_ID="22.04"\nVERSION_CODENAME=jammy\nID=ubuntu\nID_LIKE=debian\n';
const UBUNTU_24 =
  'PRETTY_NAME="Ubuntu 24.04.1 LTS"\nVERSION_ID="24.04"\nVERSION_CODENAME=noble\nID=ubuntu\nID_LIKE=debian\n';

const STANZAS = {
  name: '/etc/apt/sources.list.d/debian.sources',
  text: `# Comment
Types: deb deb-src
# URIs: http://old.example/debian
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
`,
};
const LINES = {
  name: '/etc/apt/sources.list',
  text: `# deb http://off.example/debian bookworm main
deb cdrom:[Debian 12]/ bookworm main
deb-src http://source.example/debian bookworm main
deb [arch=amd64,arm64 signed-by=/usr/share/keyrings/key.gpg check-valid-until=no] http://mirror.example/debian bookworm main contrib # ours
`,
};
const BACKPORTS = {
  name: '/etc/apt/sources.list.d/backports.list',
  text: 'deb http://mirror.example/debian bookworm-backports main\n',
};

const machine = (change: object) => ({
  platform: 'linux',
  arch: 'x64',
  glibc: '2.36',
  drivers: {},
  osRelease: DEBIAN_12,
  sources: [STANZAS],
  uid: 0,
  sudo: false,
  allowed: true,
  ...change,
});
const APT = ['env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-q', '-o', 'DPkg::Lock::Timeout=120'];
const INSTALL = ['install', '-y', '--no-install-recommends'];

test('os-release is read with and without quotes', () => {
  assert.equal(parseOsRelease('ID=debian\nNAME="Debian GNU/Linux"\n# X=1\nVARIANT=\'a b\'\n'), {
    ID: 'debian',
    NAME: 'Debian GNU/Linux',
    VARIANT: 'a b',
  });
});

test('sources: deb822 with several suites, comments, disabled stanzas and embedded keys', () => {
  const [first, second, ...rest] = parseSources(STANZAS);
  assert.equal(first, {
    uris: ['http://mirror.example/debian'],
    suites: ['bookworm', 'bookworm-updates'],
    components: ['main', 'contrib'],
    fields: { 'Signed-By': '/usr/share/keyrings/debian-archive-keyring.gpg' },
  });
  assert.equal(second.suites, ['bookworm-security']);
  assert.is(rest.length, 0);
  const text = STANZAS.text.replace('Types: deb deb-src', 'Enabled: no\nTypes: deb');
  assert.is(parseSources({ ...STANZAS, text }).length, 1);
  const key = '\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQIN\n -----END PGP PUBLIC KEY BLOCK-----';
  const embedded = STANZAS.text.replace(/Signed-By: .*/, `Signed-By:${key}`);
  assert.is(parseSources({ ...STANZAS, text: embedded })[0].fields['Signed-By'], key);
});

test('sources: one-line format with options', () => {
  const found = parseSources(LINES);
  assert.equal(found.at(-1), {
    uris: ['http://mirror.example/debian'],
    suites: ['bookworm'],
    components: ['main', 'contrib'],
    fields: {
      Architectures: 'amd64 arm64',
      'Signed-By': '/usr/share/keyrings/key.gpg',
      'Check-Valid-Until': 'no',
    },
  });
});

test('Debian 12 as root: backports from the mirror in use, keeping its key', () => {
  const plan = planDriver(machine({}));
  assert.is(plan.kind, 'install');
  assert.is(plan.suite, 'bookworm-backports');
  assert.is(plan.write.file, '/etc/apt/sources.list.d/egps-backports.sources');
  assert.is(
    plan.write.text,
    'Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm-backports\nComponents: main\n' +
      'Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n',
  );
  assert.equal(plan.commands, [
    [...APT, 'update'],
    [...APT, ...INSTALL, '-t', 'bookworm-backports', 'mesa-vulkan-drivers'],
  ]);
});

test('Debian 12 with one-line sources: never the installation disc, options kept', () => {
  const { write } = planDriver(machine({ sources: [LINES] }));
  assert.match(write.text, /^URIs: http:\/\/mirror\.example\/debian$/m);
  assert.match(write.text, /^Signed-By: \/usr\/share\/keyrings\/key\.gpg$/m);
  assert.match(write.text, /^Check-Valid-Until: no$/m);
});

test('Debian 12 with backports configured: nothing is written', () => {
  const plan = planDriver(machine({ sources: [STANZAS, BACKPORTS] }));
  assert.is(plan.kind, 'install');
  assert.is(plan.write, undefined);
  assert.is(plan.commands.length, 2);
});

test('Debian 12 without a mirror of its own: advice', () => {
  const plan = planDriver(machine({ sources: [] }));
  assert.is(plan.kind, 'advise');
  assert.match(plan.reason, 'bookworm-backports');
});

test('Debian 13, its successors and Ubuntu 24.04: the archive', () => {
  const testing = 'PRETTY_NAME="Debian GNU/Linux forky/sid"\nVERSION_CODENAME=forky\nID=debian\n';
  for (const osRelease of [DEBIAN_13, testing, UBUNTU_24]) {
    const plan = planDriver(machine({ osRelease, sources: [] }));
    assert.is(plan.kind, 'install');
    assert.is(plan.write, undefined);
    assert.equal(plan.commands[1], [...APT, ...INSTALL, 'mesa-vulkan-drivers']);
  }
});

test('an older or another Linux, macOS and Windows: advice without a command', () => {
  const older = DEBIAN_12.replace('"12"', '"11"');
  for (const change of [
    { osRelease: UBUNTU_22 },
    { osRelease: older },
    { osRelease: 'ID=fedora\nVERSION_ID=41\n' },
    { osRelease: '' },
    { platform: 'darwin' },
    { platform: 'win32' },
  ]) {
    const plan = planDriver(machine(change));
    assert.is(plan.kind, 'advise');
    assert.is(plan.line, undefined);
  }
  assert.match(planDriver(machine({ osRelease: UBUNTU_22 })).reason, 'Ubuntu 22.04.5 LTS');
});

test('with sudo that asks for nothing, it goes through sudo', () => {
  const plan = planDriver(machine({ uid: 1000, sudo: true }));
  assert.is(plan.kind, 'install');
  assert.equal(plan.write.root, ['sudo', '-n']);
  for (const command of plan.commands) assert.equal(command.slice(0, 3), ['sudo', '-n', 'env']);
});

test('without root, or where it is forbidden: the exact line and no commands', () => {
  const sources = [STANZAS, BACKPORTS];
  const install = 'apt-get install -y --no-install-recommends -t bookworm-backports mesa-vulkan-drivers';
  const asUser = planDriver(machine({ uid: 1000, sources }));
  assert.is(asUser.kind, 'advise');
  assert.is(asUser.line, `sudo apt-get update && sudo ${install}`);
  const forbidden = planDriver(machine({ allowed: false, sources }));
  assert.is(forbidden.kind, 'advise');
  assert.is(forbidden.line, `apt-get update && ${install}`);
  const writing = planDriver(machine({ uid: 1000 })).line;
  assert.match(
    writing,
    /^printf 'Types: deb\\n.*\\n' \| sudo tee \/etc\/apt\/sources\.list\.d\/egps-backports\.sources && /,
  );
});

test('whatever there is or is not of root and of packages, a line that needs neither is told, where it works', () => {
  for (const change of [
    { uid: 1000 },
    { uid: 1000, sudo: true },
    { allowed: false },
    { osRelease: UBUNTU_22, uid: 1000 },
    { osRelease: 'ID=fedora\nVERSION_ID=41\n' },
    { osRelease: 'ID=arch\n', uid: 1000 },
  ]) {
    assert.is(planDriver(machine(change)).withoutRoot, 'eval "$(node scripts/swiftshader.mjs)"');
  }
  for (const change of [
    { glibc: undefined, osRelease: 'ID=alpine\nVERSION_ID=3.21.0\n' },
    { arch: 'arm64' },
    { platform: 'darwin', glibc: undefined },
    { platform: 'win32', glibc: undefined },
  ]) {
    assert.is(planDriver(machine(change)).withoutRoot, undefined);
  }
});

test('drivers that the environment names and that are not there: nothing is installed beside them', () => {
  for (const name of ['VK_DRIVER_FILES', 'VK_ICD_FILENAMES']) {
    const plan = planDriver(machine({ drivers: { [name]: '/gone/icd.json' } }));
    assert.is(plan.kind, 'advise');
    assert.match(plan.reason, `${name} is "/gone/icd.json"`);
    assert.is(plan.line, `unset ${name}`);
  }
});

test.run();
