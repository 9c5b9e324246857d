import { createHash } from 'node:crypto';
import type { Item } from '../item.ts';
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

/**
 * The output folder of lm-eval 0.4 with --log_samples: for each sampler a folder with results_DATE.json and samples_TASK_DATE.jsonl
 * (lm_eval/result_schema.py). A pick is what lm-eval calls a filter: which of the responses is graded. The last state is its filter
 * "none".
 */
export function lmEvalFiles(run: FinishedRun): ExportFile[] {
  const { plan, ended } = run;
  const task = plan.task.replace(/[^\p{L}\p{N}_]/gu, '_');
  const date = ended.toISOString().slice(0, -1).replaceAll(':', '-');
  return run.samplers.flatMap((sampler) => {
    const folder = `${plan.model}__${sampler.sampler}`.replace(/["<>:/|\\?*[\]]+/g, '__');
    const lines = sampler.rows.flatMap((row) => row.graded.map((graded) => sample(graded, row, sampler)));
    return [
      {
        name: `${folder}/results_${date}.json`,
        text: `${JSON.stringify(results(run, sampler, task), null, 2)}\n`,
      },
      { name: `${folder}/samples_${task}_${date}.jsonl`, text: jsonLines(lines) },
    ];
  });
}

const filterOf = ({ summary: { pick } }: Row) => (pick === 'last' ? 'none' : pick);

/** What lm-eval's generate_until was asked for. */
function generation({ options, sampler }: ExportedSampler): Record<string, unknown> {
  const { temperature, topP, topK, maxNewTokens } = options;
  return {
    until: [],
    do_sample: options.sampler !== 'greedy',
    temperature,
    top_p: topP,
    top_k: topK,
    max_gen_toks: maxNewTokens,
    sampler,
  };
}

/** A line of samples_*.jsonl. */
function sample({ index, item, responses, score }: GradedItem, row: Row, sampler: ExportedSampler): object {
  const texts = responses.map(({ text }) => text);
  const doc = docOf(item);
  return {
    doc_id: index,
    doc,
    target: item.answer,
    arguments: { gen_args_0: { arg_0: item.prompt, arg_1: generation(sampler) } },
    resps: [texts],
    filtered_resps: texts.length === 1 ? texts : [texts],
    filter: filterOf(row),
    metrics: [metricOf(row)],
    doc_hash: hash(JSON.stringify(doc, null, 2)),
    prompt_hash: hash(item.prompt),
    target_hash: hash(item.answer),
    [metricOf(row)]: score,
  };
}

const docOf = ({ id, prompt, answer, grader, entryPoint }: Item) => ({
  id,
  prompt,
  answer,
  grader,
  ...(entryPoint !== undefined && { entry_point: entryPoint }),
});

const hash = (text: string): string => createHash('sha256').update(text).digest('hex');

/** results_*.json. */
function results({ plan, summary, ended }: FinishedRun, sampler: ExportedSampler, task: string): object {
  const [first] = sampler.rows;
  const metric = metricOf(first);
  const scores = sampler.rows.flatMap((row) => [
    [`${metric},${filterOf(row)}`, row.summary.accuracy ?? 'N/A'],
    [`${metric}_stderr,${filterOf(row)}`, standardError(row) ?? 'N/A'],
  ]);
  const { model, seed, samples, limit, modelDigest } = plan;
  const name = `pretrained=${model},sampler=${sampler.sampler}`;
  return {
    results: {
      [task]: { name: task, alias: task, sample_len: first.graded.length, ...Object.fromEntries(scores) },
    },
    group_subtasks: { [task]: [] },
    configs: {
      [task]: {
        task,
        output_type: 'generate_until',
        repeats: samples,
        num_fewshot: 0,
        generation_kwargs: generation(sampler),
        metric_list: [{ metric, aggregation: 'mean', higher_is_better: true }],
        metadata: { version: 1, egps: plan.egps, data_sha256: plan.data, prompt_style: plan.promptStyle },
      },
    },
    versions: { [task]: 1 },
    'n-shot': { [task]: 0 },
    higher_is_better: { [task]: { [metric]: true } },
    'n-samples': { [task]: { original: plan.items.length, effective: first.graded.length } },
    config: {
      model: 'egps',
      model_args: name,
      model_sha: modelDigest,
      batch_size: summary.run.concurrency.join(', '),
      device: summary.run.adapters.join(', '),
      limit: limit ?? null,
      gen_kwargs: generation(sampler),
      seed,
    },
    date: ended.getTime() / 1000,
    model_source: 'egps',
    model_name: model,
    model_name_sanitized: model.replace(/["<>:/|\\?*[\]]+/g, '__'),
  };
}
