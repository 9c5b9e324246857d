/** uvu's suites, which tell the runner of each test as it begins and leave out those that TEST_NAME does not name. */
import * as uvu from 'uvu';

const wanted = process.env.TEST_NAME?.toLowerCase() ?? '';
let total = 0;
let begun = 0;

type Add = (...args: Parameters<uvu.Test>) => void;

function watched(inner: uvu.Test): Add & Pick<uvu.Test, 'before' | 'after' | 'run'> {
  let own = 0;
  const add: Add = (name, body) => {
    if (!name.toLowerCase().includes(wanted)) return;
    own++;
    total++;
    inner(name, async (context) => {
      process.send?.({ name, number: ++begun, of: total });
      await body(context);
    });
  };
  const run = () => {
    if (own > 0) inner.run(); // what the tests need to begin with may take long
  };
  return Object.assign(add, { before: inner.before, after: inner.after, run });
}

export const suite = (name: string) => watched(uvu.suite(name));
export const test = watched(uvu.test);
