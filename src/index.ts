export type { Extract } from './answers/extract.ts';
export type { AnswerShare } from './answers/shares.ts';
export { type CalibrateOptions, type Calibration, calibrate, type EntropyBin } from './api/calibrate.ts';
export {
  type Answer,
  type GenerateManyOptions,
  type GenerateOptions,
  type GenerativeModel,
  generate,
  generateMany,
} from './api/generate.ts';
export { type LoadOptions, loadModel, type Model } from './api/load-model.ts';
export type { QuantizeOptions } from './api/quantize.ts';
export * from './base/errors.ts';
export type { ModelConfig } from './checkpoint/config.ts';
export type { LinearScaling, Llama3Scaling, RopeScaling, YarnScaling } from './checkpoint/rope.ts';
export type { Message } from './checkpoint/tokenizer/chat-template.ts';
export { Tokenizer } from './checkpoint/tokenizer.ts';
export type { SlidingWindow } from './checkpoint/window.ts';
export type { Activation } from './engine/activations.ts';
export type {
  Ask,
  Feed,
  LanguageModel,
  Reading,
  RngKey,
  Sequence,
  Sharpening,
  Summary,
} from './engine/language-model.ts';
export type { KernelTime, Profile } from './engine/profile.ts';
export type { AdapterChoice } from './gpu/adapter.ts';
export type { AdapterDescription } from './gpu/device.ts';
export type { Device } from './gpu/device-like.ts';
export { type TracePage, tracePage } from './report/trace-page.ts';
export { type CutBin, type Diagnostics, diagnose } from './sampling/diagnostics.ts';
export type { ModelDefaults } from './sampling/options.ts';
export type { Response } from './sampling/response.ts';
export {
  type Acceptance,
  type Account,
  type CutLawName,
  DEFAULTS,
  type Decoding,
  type GateUsed,
  type Hooks,
  type Pick,
  type Progress,
  resolveOptions,
  type Sample,
  type SamplerName,
  type SamplerOptions,
  type Step,
  sample,
  type Trace,
  type Visit,
  type Visited,
} from './sampling/sample.ts';
export { type ManyHooks, sampleMany } from './sampling/sample-many.ts';
export { likeliest, visitsAfter, type Weighted } from './sampling/visits.ts';
export type { Costs } from './tree/plan.ts';
export { type Scores, score } from './tree/score.ts';
