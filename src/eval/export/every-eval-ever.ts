import { createHash } from 'node:crypto';
import type { Verdict } from '../item.ts';
import type { Result } from '../result.ts';
import {
  type ExportedSampler,
  type ExportFile,
  type FinishedRun,
  type GradedItem,
  jsonLines,
  metricOf,
  type Row,
  standardError,
} from './finished-run.ts';

const VERSION = '0.3.0';

/** What a run does not know of itself. */
export interface Provenance {
  /** ORGANISATION/NAME, as on the Hugging Face Hub. */
  readonly modelId: string;
  /** Who ran the evaluation. */
  readonly organization: string;
}

/** Where the benchmarks are published. */
const DATASETS: Readonly<Record<string, { hf_repo: string; hf_split: string }>> = {
  math500: { hf_repo: 'HuggingFaceH4/MATH-500', hf_split: 'test' },
  humaneval: { hf_repo: 'openai/openai_humaneval', hf_split: 'test' },
  gpqa: { hf_repo: 'Idavidrein/gpqa', hf_split: 'train' },
};

/**
 * Records of Every Eval Ever's schemas 0.3.0 (eval.schema.json, instance_level_eval.schema.json): for each sampler an aggregate with a
 * result for each pick, and beside it a line for each response. They lie where its datastore has them, and under the same names
 * whenever the same run is exported.
 */
export function everyEvalEverFiles(run: FinishedRun, provenance: Provenance, now: Date): ExportFile[] {
  const part = (text: string) => text.replace(/[^\w.-]+/g, '_');
  const { modelId } = provenance;
  const [developer, ...name] = modelId.split('/');
  const folder = ['data', part(run.plan.task), part(developer), part(name.join('_'))].join('/');
  return run.samplers.flatMap((sampler) => {
    const id = uuid(JSON.stringify([run.plan, modelId, sampler.sampler]));
    const samplesName = `${folder}/${id}_samples.jsonl`;
    const record = aggregate(run, sampler, provenance, now);
    const rows = sampler.rows.flatMap((row) =>
      row.graded.flatMap((graded) =>
        graded.responses.map((_, i) =>
          instance(graded, i, row, record.evaluation_id, modelId, run.plan.task),
        ),
      ),
    );
    const lines = jsonLines(rows);
    const detailed = {
      format: 'jsonl',
      file_path: samplesName,
      hash_algorithm: 'sha256',
      checksum: sha256(lines),
      total_rows: rows.length,
    };
    // The datastore takes no file of samples without a line.
    const whole = rows.length > 0 ? { ...record, detailed_evaluation_results: detailed } : record;
    const files = [{ name: `${folder}/${id}.json`, text: `${JSON.stringify(whole, null, 2)}\n` }];
    return rows.length > 0 ? [...files, { name: samplesName, text: lines }] : files;
  });
}

const unix = (date: Date): string => String(Math.floor(date.getTime() / 1000));

const resultId = (row: Row): string =>
  row.summary.pick === 'last' ? metricOf(row) : `${metricOf(row)}:${row.summary.pick}`;

const evaluationName = (task: string, { summary: { pick } }: Row): string =>
  pick === 'last' ? task : `${task}/${pick}`;

function aggregate(
  { plan, summary, ended }: FinishedRun,
  sampler: ExportedSampler,
  { modelId, organization }: Provenance,
  now: Date,
) {
  const [repository, revision] = plan.model.split('@');
  return {
    schema_version: VERSION,
    evaluation_id: `${plan.task}/${modelId}/${unix(now)}/${sampler.sampler}`,
    evaluation_timestamp: unix(ended),
    retrieved_timestamp: unix(now),
    source_metadata: {
      source_name: 'egps',
      source_type: 'evaluation_run',
      source_organization_name: organization,
      evaluator_relationship: 'other',
    },
    eval_library: { name: 'egps', version: plan.egps },
    model_info: {
      name: repository,
      id: modelId,
      developer: modelId.split('/')[0],
      inference_engine: { name: 'egps', version: plan.egps },
      additional_details: strings({
        deployment_type: 'self_deployed',
        model_availability: 'unknown',
        revision,
        sha256: plan.modelDigest,
        adapters: summary.run.adapters,
        ...summary.run.versions,
      }),
    },
    evaluation_results: sampler.rows
      .filter(({ summary }) => summary.accuracy !== null)
      .map((row) => evaluationResult(plan, sampler, row, ended)),
  };
}

function evaluationResult(plan: FinishedRun['plan'], sampler: ExportedSampler, row: Row, ended: Date) {
  const { accuracy, interval, ...found } = row.summary;
  const { temperature, topP, topK, maxNewTokens, ...options } = sampler.options;
  const error = standardError(row);
  const finite = (value: unknown) => (typeof value === 'number' && Number.isFinite(value) ? value : null);
  return {
    evaluation_result_id: resultId(row),
    evaluation_name: evaluationName(plan.task, row),
    source_data: {
      dataset_name: plan.task,
      ...(plan.task in DATASETS
        ? { source_type: 'hf_dataset', ...DATASETS[plan.task], samples_number: plan.items.length }
        : { source_type: 'other' }),
      additional_details: strings({ sha256: plan.data, limit: plan.limit }),
    },
    evaluation_timestamp: unix(ended),
    metric_config: {
      evaluation_description: 'mean over the items of the share of right responses',
      metric_id: metricOf(row) === 'acc' ? 'accuracy' : 'pass_at_k',
      metric_name: metricOf(row) === 'acc' ? 'Accuracy' : 'pass@1',
      metric_kind: metricOf(row) === 'acc' ? 'accuracy' : 'pass_rate',
      metric_unit: 'proportion',
      ...(metricOf(row) === 'pass@1' && { metric_parameters: { k: 1 } }),
      lower_is_better: false,
      score_type: 'continuous',
      min_score: 0,
      max_score: 1,
    },
    score_details: {
      score: accuracy,
      details: strings({
        right: found.right,
        items: found.items,
        responses: found.responses,
        too_long: found.tooLong,
        no_answer: found.noAnswer,
        timed_out: found.timedOut,
        mean_log_probability: found.logp,
        mean_tokens: found.length,
        mean_drawn_tokens: found.drawnTokens,
        mean_computed_rows: found.computedRows,
        mean_sequential_passes: found.sequentialPasses,
        mean_seconds: found.wallSeconds,
      }),
      uncertainty: {
        ...(error !== null && { standard_error: { value: error, method: 'analytic' } }),
        ...(interval && {
          confidence_interval: {
            lower: interval[0],
            upper: interval[1],
            confidence_level: 0.95,
            method: 'Wilson',
          },
        }),
        num_samples: found.items,
      },
    },
    generation_config: {
      generation_args: {
        temperature: finite(temperature),
        top_p: finite(topP),
        top_k: finite(topK),
        max_tokens: maxNewTokens,
      },
      additional_details: strings({
        command: sampler.sampler,
        pick: found.pick,
        seed: plan.seed,
        samples: plan.samples,
        prompt_style: plan.promptStyle,
        ...options,
      }),
    },
  };
}

function instance(
  { item, responses, timings }: GradedItem,
  i: number,
  row: Row,
  evaluationId: string,
  modelId: string,
  task: string,
) {
  const { verdict, answer, text, tokens, finish, logp, sample, pick }: Result = responses[i];
  const timing = timings[i];
  return {
    schema_version: VERSION,
    evaluation_id: evaluationId,
    model_id: modelId,
    evaluation_name: evaluationName(task, row),
    evaluation_result_id: resultId(row),
    sample_id: item.id,
    sample_hash: sha256(item.prompt + item.answer),
    interaction_type: 'single_turn',
    input: { raw: item.prompt, reference: [item.answer] },
    output: { raw: [text] },
    answer_attribution:
      answer === null
        ? []
        : [
            {
              turn_idx: 0,
              source: 'output.raw',
              extracted_value: answer,
              extraction_method: item.grader,
              is_terminal: true,
            },
          ],
    evaluation: { score: verdict === 'right' ? 1 : 0, is_correct: verdict === 'right' },
    ...(timing && { performance: { latency_ms: 1000 * (timing.ended - timing.began) } }),
    error: ERRORS[verdict] ?? null,
    metadata: strings({ sample, pick, verdict, finish, tokens, log_probability: logp }),
  };
}

const ERRORS: Partial<Record<Verdict, string>> = { 'timed out': 'the grader was stopped' };

/** Further details have values that are strings, and none that are not known. */
function strings(values: Readonly<Record<string, unknown>>): Record<string, string> {
  const known = Object.entries(values).filter(([, value]) => value !== undefined && value !== null);
  return Object.fromEntries(
    known.map(([key, value]) => [key, typeof value === 'string' ? value : JSON.stringify(value)]),
  );
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** A UUID of version 4 whose random bits are those of a digest. */
function uuid(text: string): string {
  const bytes = createHash('sha256').update(text).digest().subarray(0, 16);
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
