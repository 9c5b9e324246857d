/** Compares with Python's tokenizers what `make_tokenizers.py --all FILE` wrote: node dist/test/checkpoint/compare-tokenizers.js FILE */
import { readFileSync } from 'node:fs';
import { compareComponents, compareTokenizers, type Oracle } from '../support/tokenizer-oracle.ts';

const oracle: Oracle = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const differences = [...compareComponents(oracle), ...(await compareTokenizers(oracle))];
for (const { name, points, strings, compared, examples } of differences) {
  console.log(`${points} code points and ${strings} strings of ${compared} differ: ${name}`);
  for (const example of examples) console.log(`    ${example}`);
}
process.exitCode = differences.some(({ points, strings }) => points + strings > 0) ? 1 : 0;
