import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { encodePrompt, withModelDefaults } from '../api/generate.ts';
import { CheckpointError } from '../base/errors.ts';
import { readJson } from '../checkpoint/json.ts';
import { seed, value } from './args.ts';
import { type Command, MODEL_OPTION, openFolder, openModel } from './command.ts';
import { accountLines, shareLines } from './format.ts';
import { watch } from './generate.ts';
import { printable, sideBySide } from './terminal.ts';

const SIDE_BY_SIDE = 100;

interface Problem {
  readonly prompt: string;
  readonly answer: string;
}

export const demoCommand: Command = {
  summary: 'plain sampling and egps on a problem that the model was not trained on',
  usage: '[options]',
  notes: `The problem is drawn from heldout.json in the folder of the model. Plain sampling draws each token from the
model as it is (temperature 1); egps samples from the same model, not trained further, with the options of its
egps.json.
`,
  options: {
    model: MODEL_OPTION,
    seed: { value: 'S', help: 'picks the problem and the random numbers (default: another each time)' },
  },

  async run(parsed, io) {
    const typed = value(parsed, 'seed');
    const number = typed === undefined ? BigInt(randomInt(1_000_000)) : seed('--seed', typed);
    const folder = await openFolder(value(parsed, 'model'));
    const problems = await readProblems(folder.dir);
    const { prompt, answer } = problems[Number(number % BigInt(problems.length))];
    const promptTokens = encodePrompt(folder.tokenizer, prompt);
    const plainOptions = { sampler: 'sample', temperature: 1, seed: number } as const;
    const egpsOptions = { sampler: 'egps', seed: number } as const;
    const { maxNewTokens } = withModelDefaults(folder.defaults, egpsOptions);

    io.out(`${printable(prompt)}\n\nThe right answer is ${answer}. Seed ${number}.\n\n`);
    const model = await openModel(folder, promptTokens.length + maxNewTokens, io);
    try {
      const plain = await watch(model, promptTokens, plainOptions, io);
      const egps = await watch(model, promptTokens, { ...egpsOptions, extract: 'boxed' }, io);
      const columns = [
        {
          title: `plain sampling: ${verdict(plain.answer.text, answer)}`,
          text: (plain.answer.text ?? '').trim(),
        },
        { title: `egps: ${verdict(egps.answer.text, answer)}`, text: (egps.answer.text ?? '').trim() },
      ];
      const { isTTY, columns: width } = process.stdout;
      io.out(
        isTTY && width >= SIDE_BY_SIDE
          ? `${sideBySide(columns[0], columns[1], width)}\n\n`
          : columns.map(({ title, text }) => `${title}\n\n${printable(text)}\n\n`).join(''),
      );
      io.out(`plain sampling\n${accountLines(plain.answer, plain.wallSeconds, model.adapter)}\n\n`);
      io.out(
        `egps\n${shareLines(egps.answer.answers ?? [])}\n${accountLines(egps.answer, egps.wallSeconds, model.adapter)}\n`,
      );
    } finally {
      model.dispose();
    }
  },
};

/** What the last \boxed{…} of an answer says, and whether that is right. */
export function verdict(text: string | null, right: string): string {
  const found = [...(text ?? '').matchAll(/\\boxed\{([^{}]*)\}/g)].at(-1)?.[1];
  if (found === undefined) return 'no answer';
  return found.trim() === right ? `${found}, right` : `${found}, wrong`;
}

async function readProblems(dir: string): Promise<Problem[]> {
  const file = join(dir, 'heldout.json');
  const problems = await readJson(file);
  if (problems === undefined) throw new CheckpointError(file, 'no held-out problems to demonstrate');
  const wellFormed = (p: unknown): p is Problem =>
    typeof (p as Problem)?.prompt === 'string' && typeof (p as Problem).answer === 'string';
  if (!Array.isArray(problems) || problems.length === 0 || !problems.every(wellFormed)) {
    throw new CheckpointError(file, 'an array of {prompt, answer}, both text, is expected');
  }
  return problems;
}
