export type { ModelConfig, SamplerDefaults } from './checkpoint/config.ts';
export { Tokenizer } from './checkpoint/tokenizer.ts';
export type {
  Column,
  Continuation,
  DecodeRow,
  LanguageModel,
  RngKey,
  Sequence,
} from './engine/language-model.ts';
export * from './errors.ts';
export { type Answer, type GenerateOptions, generate } from './generate.ts';
export type { AdapterDescription } from './gpu/device.ts';
export { type LoadOptions, loadModel, type Model } from './load-model.ts';
export {
  type Account,
  type CutLawName,
  DEFAULTS,
  type Progress,
  type Sample,
  type SamplerName,
  type SamplerOptions,
  sample,
} from './sampling/sample.ts';
