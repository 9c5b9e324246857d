// Decides how a machine on which WebGPU finds no adapter gets a software one. Pure: texts in, a plan out.

const PACKAGE = 'mesa-vulkan-drivers';
const SOURCE_FILE = '/etc/apt/sources.list.d/egps-backports.sources';
/** Fetches a driver into the checkout, see there. For a POSIX shell. */
const WITHOUT_ROOT = 'eval "$(node scripts/swiftshader.mjs)"';

/** The variables of an os-release file. */
export function parseOsRelease(text) {
  const variables = {};
  for (const line of text.split('\n')) {
    const [, name, value] = /^\s*([A-Z_0-9]+)=(.*?)\s*$/.exec(line) ?? [];
    if (name) variables[name] = value.replace(/^(["'])(.*)\1$/, '$2');
  }
  return variables;
}

/**
 * The enabled binary package sources of an apt configuration file, in either of its two formats. `fields` are the
 * remaining settings (Signed-By and the like) in deb822 spelling, continuation lines included.
 */
export function parseSources({ name, text }) {
  return name.endsWith('.sources') ? parseStanzas(text) : parseLines(text);
}

const ONE_LINE_NAMES = { arch: 'Architectures', lang: 'Languages', target: 'Targets' };

function parseLines(text) {
  const sources = [];
  for (const line of text.split('\n')) {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)([^#]*)/.exec(line);
    if (!match) continue;
    const [, options = '', uri, suite, components] = match;
    const fields = {};
    for (const option of words(options)) {
      const [key, value = ''] = option.split(/[+-]?=(.*)/);
      fields[ONE_LINE_NAMES[key] ?? capitalised(key)] = value.replaceAll(',', ' ');
    }
    sources.push({ uris: [uri], suites: [suite], components: words(components), fields });
  }
  return sources;
}

function parseStanzas(text) {
  const sources = [];
  const lines = text.split('\n').filter((line) => !line.startsWith('#'));
  for (const stanza of lines.join('\n').split(/\n\s*\n/)) {
    const fields = {};
    for (const [, key, value] of stanza.matchAll(/^([^\s:]+):[ \t]*(.*(?:\n[ \t].*)*)/gm)) {
      fields[capitalised(key.toLowerCase())] = value.trimEnd();
    }
    const { Types = '', Uris = '', Suites = '', Components = '', Enabled = 'yes', ...rest } = fields;
    if (!words(Types).includes('deb') || /^(no|false|without|off|disable)$/i.test(Enabled)) continue;
    sources.push({ uris: words(Uris), suites: words(Suites), components: words(Components), fields: rest });
  }
  return sources;
}

const words = (text) => text.split(/\s+/).filter(Boolean);
const capitalised = (key) => key.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase());

/** Whether there is a SwiftShader for a machine: `platform` and `arch` as Node gives them, and the version of its glibc, if it has one. */
export const hasSwiftShader = ({ platform, arch, glibc }) =>
  platform === 'linux' && arch === 'x64' && glibc !== undefined;

/**
 * What to do about a missing adapter.
 *
 * @param machine `platform`, `arch` and `uid` as Node gives them, `glibc` as above, the text of os-release, apt's source files
 *   as `{ name, text }`, whether `sudo` works without a password, `allowed`: whether the system may be changed, and `drivers`:
 *   the variables of the environment that restrict Vulkan to certain drivers, if there are any.
 * @returns `{ kind: 'install', packages, suite, write?, commands, line }` or `{ kind: 'advise', reason, line? }`, where
 *   `line` is what to type into a shell, `commands` the same as argument vectors, and `write` a file to write before.
 *   Either may have `withoutRoot`, a line that asks for no root.
 */
export function planDriver(machine) {
  const [restriction] = Object.entries(machine.drivers);
  if (restriction) {
    const [name, files] = restriction;
    return {
      kind: 'advise',
      reason: `${name} is ${JSON.stringify(files)}, which gives none`,
      line: `unset ${name}`,
    };
  }
  const withoutRoot = hasSwiftShader(machine) ? WITHOUT_ROOT : undefined;
  return { ...planMesa(machine), withoutRoot };
}

function planMesa({ platform, osRelease, sources, uid, sudo, allowed }) {
  if (platform === 'darwin') return advise('macOS needs a GPU that supports Metal');
  if (platform === 'win32') return advise('Windows needs a GPU driver that supports Direct3D 12 or Vulkan');
  if (platform !== 'linux') return advise(`${platform} needs a Vulkan driver`);

  const os = parseOsRelease(osRelease);
  const suite = suiteFor(os);
  if (suite === undefined) {
    const name = os.PRETTY_NAME ?? os.ID ?? 'this Linux';
    return advise(`${name} needs a Vulkan driver: the GPU vendor's, or lavapipe of Mesa 23 or newer`);
  }

  let write;
  if (suite.endsWith('-backports')) {
    const all = sources.flatMap(parseSources);
    const main = (source, wanted) => source.suites.includes(wanted) && source.components.includes('main');
    if (!all.some((source) => main(source, suite))) {
      const base = all.find(
        (source) => main(source, os.VERSION_CODENAME) && !source.uris[0].startsWith('cdrom:'),
      );
      if (!base) return advise(`${PACKAGE} is in ${suite}, and apt's sources name no mirror of ${os.ID}`);
      write = { file: SOURCE_FILE, text: backports(base, suite) };
    }
  }

  const target = suite.endsWith('-backports') ? ['-t', suite] : [];
  const apt = ['env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-q', '-o', 'DPkg::Lock::Timeout=120'];
  const root = uid === 0 ? [] : ['sudo', '-n'];
  const install = ['install', '-y', '--no-install-recommends', ...target, PACKAGE];
  const asRoot = uid === 0 ? '' : 'sudo ';
  const line = [
    ...(write ? [`printf '${write.text.replaceAll('\n', '\\n')}' | ${asRoot}tee ${write.file}`] : []),
    `${asRoot}apt-get update`,
    `${asRoot}apt-get ${install.join(' ')}`,
  ].join(' && ');
  if (!allowed) return advise('EGPS_NO_SETUP is set', line);
  if (uid !== 0 && !sudo) return advise('installing a driver needs root', line);
  const commands = [
    [...root, ...apt, 'update'],
    [...root, ...apt, ...install],
  ];
  return { kind: 'install', packages: [PACKAGE], suite, write: write && { ...write, root }, commands, line };
}

const advise = (reason, line) => ({ kind: 'advise', reason, line });

/** The suite whose Mesa is new enough; undefined where none is known. Debian 12's own is 22.3, without the features WebGPU asks for. */
function suiteFor({ ID, VERSION_ID, VERSION_CODENAME }) {
  const version = VERSION_ID === undefined ? Number.POSITIVE_INFINITY : Number(VERSION_ID);
  if (ID === 'debian' && version === 12) return `${VERSION_CODENAME}-backports`;
  if ((ID === 'debian' && version >= 13) || (ID === 'ubuntu' && version >= 24.04)) {
    return VERSION_CODENAME ?? 'unstable';
  }
}

function backports({ uris, fields }, suite) {
  const rest = Object.entries(fields).map(([key, value]) => `${key}: ${value}\n`);
  return `Types: deb\nURIs: ${uris.join(' ')}\nSuites: ${suite}\nComponents: main\n${rest.join('')}`;
}
