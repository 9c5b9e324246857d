/**
 * usage: run-commands COMMANDS, where COMMANDS is a JSON array of argument lists. Runs commands of egps in one process, which starts
 * sooner than one each, and prints what each says, as JSON: [{ out, err, error }].
 */
import { COMMON, parse } from '../../src/cli/args.ts';
import { COMMANDS } from '../../src/cli/commands.ts';
import { Redraw } from '../../src/cli/terminal.ts';

const { signal } = new AbortController();
const redraw = new Redraw({ write() {} }, {});
const said: { out: string; err: string; error: string | null }[] = [];
for (const [name, ...argv] of JSON.parse(process.argv[2])) {
  const told = { out: '', err: '', error: null as string | null };
  const out = (text: string) => {
    told.out += text;
  };
  const err = (text: string) => {
    told.err += text;
  };
  try {
    const command = await COMMANDS[name].load();
    await command.run(parse({ ...command.options, ...COMMON }, argv), {
      signal,
      redraw,
      out,
      text: out,
      err,
    });
  } catch (error) {
    told.error = (error as Error).message;
  }
  said.push(told);
}
console.log(JSON.stringify(said));
