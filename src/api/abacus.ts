import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Of the package and what lies beside a bundle; of the package that a bundle was made from. */
const FOLDERS = ['models/abacus', 'node_modules/egps/models/abacus'];

/** Looked for from here upwards. Where there is none, loading it will say so. */
function find(): string {
  // A bundle in CommonJS has no `import.meta`.
  const own = import.meta.url ? dirname(fileURLToPath(import.meta.url)) : process.cwd();
  for (let at = own; ; at = dirname(at)) {
    const found = FOLDERS.map((folder) => join(at, folder)).find((folder) => existsSync(folder));
    if (found) return found;
    if (dirname(at) === at) return join(own, FOLDERS[0]);
  }
}

/** The folder of the embedded model, for `loadModel`. */
export const abacus: string = find();
