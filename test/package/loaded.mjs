// Preloaded (node --import), writes the URL of each module that is loaded to the file that LOADED names.
import { appendFileSync } from 'node:fs';
import { createRequire, register } from 'node:module';

register(
  `data:text/javascript,${encodeURIComponent(`
    import { appendFileSync } from 'node:fs';
    export function load(url, context, next) {
      appendFileSync(process.env.LOADED, url + '\\n');
      return next(url, context);
    }
  `)}`,
);
// What CommonJS requires passes no hook.
const { cache } = createRequire(import.meta.url);
process.on('exit', () => {
  for (const file in cache) appendFileSync(process.env.LOADED, `${file}\n`);
});
