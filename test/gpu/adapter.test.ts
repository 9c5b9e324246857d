import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { loadModel } from '../../src/api/load-model.ts';
import { AdapterError, OptionError } from '../../src/base/errors.ts';
import { type AdapterChoice, adapterName, checkAdapter, findAdapter, isCpu } from '../../src/gpu/adapter.ts';
import { type System, trouble } from '../../src/gpu/dawn-trouble.ts';
import { type AdapterDescription, Gpu } from '../../src/gpu/device.ts';
import { failure } from '../support/folder.ts';
import { deviceWithoutSubgroups, inTemporaryFolder, SHAPE } from '../support/models.ts';
import { randomCheckpoint } from '../support/random-checkpoint.ts';
import { test } from '../support/suite.ts';

const info = (told: Partial<GPUAdapterInfo>) =>
  ({ vendor: '', architecture: '', device: '', description: '', ...told }) as GPUAdapterInfo;

test('an adapter is named by its description, else by vendor and architecture', () => {
  for (const [told, name] of [
    [{ description: 'Some GPU', vendor: 'v', architecture: 'a', device: 'd' }, 'Some GPU'],
    [{ vendor: 'apple', architecture: 'metal-3', device: '0x1' }, 'apple metal-3'],
    [{ vendor: 'apple' }, 'apple'],
    [{ architecture: 'ampere' }, 'ampere'],
    [{ device: 'null-backend' }, 'null-backend'],
    [{}, 'unnamed adapter'],
  ] as const) {
    assert.is(adapterName(info(told)), name);
  }
});

test('an adapter computes on the CPU where WebGPU or its name says so, and is refused where a GPU is required', async () => {
  for (const [told, cpu] of [
    [{ description: 'llvmpipe: Mesa 25' }, true],
    [{ vendor: 'google', architecture: 'swiftshader' }, true],
    [{ description: 'Microsoft Basic Render Driver' }, true],
    [{ vendor: 'somebody', architecture: 'soft-1', isFallbackAdapter: true }, true],
    [{ vendor: 'nvidia', architecture: 'ampere', isFallbackAdapter: false }, false],
    [{ vendor: 'nvidia', architecture: 'ampere' }, false],
  ] as const) {
    assert.is(isCpu(info(told)), cpu, JSON.stringify(told));
    checkAdapter(info(told), {});
    const check = () => checkAdapter(info(told), { requireGpu: true });
    if (!cpu) check();
    else await failure(AdapterError, new RegExp(`computes on the CPU: ${adapterName(info(told))}`), check);
  }
});

test('kernels that read textures are used where a WebGPU says that its shaders can', async () => {
  const gpu = await Gpu.open();
  const own = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
  const usedWith = async (navigator: object) => {
    Object.defineProperty(globalThis, 'navigator', { value: navigator, configurable: true });
    return (await Gpu.open({ device: gpu.device })).adapter.subgroups;
  };
  try {
    const { subgroups } = gpu.adapter;
    const wgslLanguageFeatures = new Set(['readonly_and_readwrite_storage_textures']);
    assert.is(await usedWith({ gpu: { wgslLanguageFeatures } }), subgroups);
    assert.is(await usedWith({ gpu: { wgslLanguageFeatures: new Set() } }), false);
    assert.is(await usedWith({ gpu: {} }), false);
    assert.is(await usedWith({}), subgroups, 'it is Dawn');
  } finally {
    if (own) Object.defineProperty(globalThis, 'navigator', own);
    else Reflect.deleteProperty(globalThis, 'navigator');
    gpu.dispose();
  }
});

const NOWHERE = 'no such adapter';
let best: AdapterDescription;
/** What Dawn calls the adapters here. */
let names: string[];

test('a name that no adapter has is refused, with the names that there are', async () => {
  const gpu = await Gpu.open();
  best = gpu.adapter;
  gpu.dispose();
  const { message } = await failure(
    AdapterError,
    /^no adapter has "no such adapter" in its name: there are "/,
    () => Gpu.open({ adapter: NOWHERE }),
  );
  names = JSON.parse(`[${message.slice(message.indexOf('there are ') + 'there are '.length)}]`);
  assert.ok(names.length > 0);
  await failure(OptionError, /adapter is " "/, () => Gpu.open({ adapter: ' ' }));
});

test('an adapter is chosen by a part of its name in any case, and known before the weights are read', () =>
  inTemporaryFolder(async (dir) => {
    randomCheckpoint(dir, SHAPE, 1);
    const told: string[] = [];
    const load = (choice: AdapterChoice) =>
      loadModel(dir, {
        ...choice,
        onAdapter: ({ description }) => told.push(description),
        onProgress: () => told.push('weights'),
      });
    for (const name of [names[0].slice(1, -1), names[0].toUpperCase()]) {
      const model = await load({ adapter: name });
      assert.is(model.adapter.description, told[0]);
      assert.is(told[1], 'weights');
      told.length = 0;
      model.dispose();
    }
    await failure(AdapterError, /no adapter has/, () => load({ adapter: NOWHERE }));
    assert.equal(told, []);
    if (best.cpu) {
      const found = await failure(AdapterError, /computes on the CPU/, () => load({ requireGpu: true }));
      assert.ok(found.message.includes(best.description));
      assert.equal(told, []);
    }
  }));

test('there is no choice beside a device of the caller’s, but it can be required to be a GPU', async () => {
  const device = await deviceWithoutSubgroups();
  await failure(OptionError, /adapter is "llvm".*device/, () => Gpu.open({ device, adapter: 'llvm' }));
  const required = Gpu.open({ device, requireGpu: true });
  if (best.cpu) await failure(AdapterError, /computes on the CPU/, () => required);
  else (await required).dispose();
  (await Gpu.open({ device })).dispose();
  device.destroy();
});

test('a runtime with a WebGPU of its own has no choice by name', async () => {
  const before = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
  Object.defineProperty(globalThis, 'navigator', { value: { gpu: {} }, configurable: true });
  try {
    await failure(OptionError, /adapter is "x": this runtime has a WebGPU of its own/, () =>
      findAdapter('x'),
    );
  } finally {
    if (before) Object.defineProperty(globalThis, 'navigator', before);
    else Reflect.deleteProperty(globalThis, 'navigator');
  }
});

const BINARY = '/app/node_modules/webgpu/dist/linux-x64/dawn.node';
/** As RHEL 8, from the strings of its binaries. */
const OLD: System = {
  platform: 'linux',
  arch: 'x64',
  glibc: '2.28',
  read(file) {
    if (file === BINARY) return '\0GLIBC_2.2.5\0GLIBC_2.34\0GLIBC_2.9\0GLIBCXX_3.4.9\0GLIBCXX_3.4.30\0';
    if (file === '/lib64/libstdc++.so.6')
      return '\0GLIBCXX_3.4.9\0GLIBCXX_3.4.25\0GLIBCXX_DEBUG_MESSAGE_LENGTH\0';
    throw new Error('ENOENT');
  },
};

test('a WebGPU that does not load says what it needs and what is there, where that is the trouble', () => {
  const glibc = `/lib64/libc.so.6: version \`GLIBC_2.32' not found (required by ${BINARY})`;
  const libstdcxx = `/lib64/libstdc++.so.6: version \`GLIBCXX_3.4.26' not found (required by ${BINARY})`;
  const musl = `Error loading shared library ld-linux-x86-64.so.2: No such file or directory (needed by ${BINARY})`;
  const none = "Cannot find module '/app/node_modules/webgpu/dist/freebsd-x64/dawn.node'";
  for (const [said, system, says] of [
    [glibc, OLD, 'it needs glibc 2.34 or newer, here is 2.28'],
    [glibc, { ...OLD, glibc: undefined }, 'it needs glibc 2.34 or newer, here is an older one'],
    [glibc.replace(BINARY, '/other.node'), OLD, 'it needs glibc 2.32 or newer, here is 2.28'],
    [libstdcxx, OLD, 'it needs a libstdc++ with GLIBCXX_3.4.30, here is GLIBCXX_3.4.25'],
    [
      musl,
      { ...OLD, glibc: null },
      "it needs glibc 2.34, the C library here is another one, such as Alpine's musl",
    ],
    [none, { ...OLD, platform: 'freebsd' }, 'it has no binary for freebsd-x64'],
  ] as const) {
    assert.is(trouble(new Error(`${said}\nRequire stack:\n- a.js`), system), `${says} (${said})`);
  }
  const other = "Cannot find package 'webgpu' imported from /app/dist/src/gpu/dawn.js";
  assert.is(trouble(new Error(other), OLD), other);
});

test('the loader’s own words are in the error', () => {
  const script = `
    import { register } from 'node:module';
    const hook = \`export const resolve = (name, context, next) => name === 'webgpu'
      ? { url: 'data:text/javascript,throw new Error("the loader says so")', shortCircuit: true } : next(name, context);\`;
    register('data:text/javascript,' + encodeURIComponent(hook));
    const { Gpu } = await import(${JSON.stringify(new URL('../../src/gpu/device.js', import.meta.url).href)});
    await Gpu.open().catch(({ name, message, cause }) => console.log(name, message, '|', cause.message));`;
  const run = spawnSync(process.execPath, ['--input-type=module', '--eval', script], {
    encoding: 'utf8',
    cwd: fileURLToPath(new URL('.', import.meta.url)),
  });
  assert.match(
    run.stdout,
    /^AdapterError .*"webgpu" does not load here: the loader says so \| the loader says so$/m,
    run.stderr,
  );
});

test.run();
