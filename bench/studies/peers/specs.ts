/** Which engines there are, what is measured of them, and how exact they have to be. */
import type { Precision } from './onnx.ts';

export const CONTEXT = 128;
export const ROWS = 8;
export interface Spec {
  name: string;
  engine: string;
  backend: string;
  driver: string;
  format?: 'gguf' | Precision;
  /** Tried in order until the logits are right. */
  variants: readonly { note: string; options?: Record<string, unknown> }[];
}

/** Prompts of fewer tokens are computed by other kernels, which are right where the usual ones are not. */
const PIECES = { note: 'prompts 31 tokens at a time', options: { piece: 31 } };
const DEFAULT = { note: '' };
export const SPECS: readonly Spec[] = [
  { name: 'ours', engine: 'egps', backend: 'webgpu', driver: 'ours', variants: [DEFAULT] },
  ...['cpu', 'vulkan', 'cuda'].map((backend) => ({
    name: `llama-${backend}`,
    engine: 'llama.cpp',
    backend,
    driver: 'llama.mjs',
    format: 'gguf' as const,
    variants: [DEFAULT],
  })),
  ...(
    [
      ['onnx-cpu', 'cpu', 'f32'],
      ['onnx-webgpu', 'webgpu', 'f32'],
      ['onnx-webgpu-f16', 'webgpu', 'f16'],
    ] as const
  ).map(([name, backend, format]) => ({
    name,
    engine: 'ONNX Runtime',
    backend,
    driver: 'onnx.mjs',
    format,
    variants: backend === 'cpu' ? [DEFAULT] : [DEFAULT, PIECES],
  })),
];

export const MEASURES = {
  prefill: { label: `prefill ${CONTEXT}`, rows: 1 },
  decode1: { label: 'decode, 1 row', rows: 1 },
  decode8: { label: `decode, ${ROWS} rows`, rows: ROWS },
} as const;
export type Measure = keyof typeof MEASURES;
export const measures = Object.keys(MEASURES) as Measure[];

/**
 * Most normalised mean square error of an engine's logits, by what it computes in. f32 gives 1e-12 and attention over wrong
 * keys from 5e-4 on. f16 weights against f16 activations, summed in f32, give 1e-5 over 30 layers; summed in f16 too, as ONNX
 * Runtime and llama.cpp's Vulkan do, 6e-4.
 */
const BOUNDS: Readonly<Record<NonNullable<Spec['format']> | 'own', number>> = {
  own: 1e-4,
  f32: 1e-6,
  gguf: 1e-3,
  f16: 1e-3,
};
export const boundOf = ({ format }: Spec): number => BOUNDS[format ?? 'own'];
