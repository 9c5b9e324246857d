/** Python with the packages of a list, in a virtual environment that stays in the user's folder for temporary files. */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { endOf } from '../support/process.ts';

const REQUIREMENTS = 'test/python/requirements.txt';
/** Packages that are read as they lie in their wheels: they need a later Python, or much that these tests do not. */
const WHEELS = 'test/python/wheels.txt';
const windows = process.platform === 'win32';

/** The folder of the environment, which is made where it is missing. @param wheels a list of packages whose wheels lie in it */
function venv(requirements: string, wheels?: string): string {
  const lists = [requirements, ...(wheels ? [wheels] : [])];
  const version = run('python3', ['--version']);
  const key = createHash('sha256')
    .update([version, ...lists.map((list) => readFileSync(list, 'utf8'))].join(''))
    .digest('hex')
    .slice(0, 12);
  const folder = join(tmpdir(), `egps-python-${userInfo().username}-${key}`);
  if (existsSync(folder)) return folder;
  const making = mkdtempSync(`${folder}-`);
  try {
    run('python3', ['-m', 'venv', making]);
    run(pythonOf(making), [
      '-m',
      'pip',
      'install',
      '--quiet',
      '--disable-pip-version-check',
      '-r',
      requirements,
    ]);
    if (wheels) {
      run(pythonOf(making), [
        ...['-m', 'pip', 'download', '--quiet', '--disable-pip-version-check', '--no-deps', '-r', wheels],
        ...['--python-version', '3.12', '--only-binary=:all:', '-d', join(making, 'wheels')],
      ]);
    }
    renameSync(making, folder); // whole, or not at all
  } catch (error) {
    rmSync(making, { recursive: true, force: true });
    if (!existsSync(folder)) throw error;
  }
  return folder;
}

const pythonOf = (folder: string) =>
  join(folder, ...(windows ? ['Scripts', 'python.exe'] : ['bin', 'python']));

function run(command: string, args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', timeout: 900_000 });
  if (error) throw new Error(`these tests need ${command}, which does not run: ${error.message}`);
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}: ${stderr}`);
  return stdout;
}

/** The Python of the environment with these packages. */
export const pythonWith = (requirements: string): string => pythonOf(venv(requirements));

let folder: string | undefined;

/** Runs a script, which prints JSON; WHEELS is the folder of the wheels. */
export async function python(script: string, env: NodeJS.ProcessEnv = process.env): Promise<unknown> {
  folder ??= venv(REQUIREMENTS, WHEELS);
  const child = spawn(pythonOf(folder), ['-c', script], { env: { ...env, WHEELS: join(folder, 'wheels') } });
  const { code, out, err } = await endOf(child);
  if (code !== 0) throw new Error(`Python ended with ${code}: ${err}`);
  return JSON.parse(out);
}
