import { AdapterError } from '../base/errors.ts';

/** Asked for where there is no `navigator.gpu`. @throws AdapterError always */
export async function dawn(): Promise<GPU> {
  throw new AdapterError(withoutWebGpu(navigator.userAgent, globalThis.isSecureContext));
}

/** What to do about a browser that has no WebGPU. */
export function withoutWebGpu(userAgent: string, isSecure: boolean): string {
  if (!isSecure)
    return 'this page has no WebGPU, since it did not come over https: browsers have it for https and for localhost only';
  const [, remedy] = REMEDIES.find(([browser]) => browser.test(userAgent)) as (typeof REMEDIES)[number];
  return `this browser has no WebGPU: ${remedy}`;
}

/** In this order: Chrome and Edge call themselves Safari too, and on iOS every browser is Safari underneath. */
const REMEDIES: readonly (readonly [browser: RegExp, remedy: string])[] = [
  [/iPhone|iPad/, 'iOS and iPadOS have it from version 26 on'],
  [
    /Firefox\//,
    'Firefox has it from 141 on on Windows and from 145 on on Macs with Apple silicon; elsewhere set dom.webgpu.enabled in about:config, or use Chrome or Edge',
  ],
  [
    /Linux (?!; Android|.*Android).*Chrome\//,
    'update Chrome, or switch on chrome://flags/#enable-unsafe-webgpu and #enable-vulkan, which Linux may need',
  ],
  [
    /Chrome\//,
    'Chrome and Edge have it from 113 on (on Android from 121 on); update, and see chrome://gpu for what is switched off',
  ],
  [/Safari\//, 'Safari has it from 26 on'],
  [/(?:)/, 'Chrome, Edge, Safari 26 and Firefox 141 have it'],
];

/** What to do where there is WebGPU and no adapter. */
export const NO_ADAPTER: string =
  'no WebGPU adapter found: the browser has WebGPU and offers no GPU for it. Switch on hardware acceleration in its settings, ' +
  'update the GPU’s driver, and see chrome://gpu or about:support for why it is not used';

/** Browsers do not wait by turning. */
export const patiently = <T>(work: Promise<T>): Promise<T> => work;
