import * as assert from 'uvu/assert';
import { clientBundles } from '../../src/report/client-bundles.ts';
import { htmlPage } from '../../src/report/page.ts';
import { test } from '../support/suite.ts';

const pageOf = (...scripts: string[]): string =>
  htmlPage({ title: 'A page', style: '', body: '<body></body>', data: null, scripts });

/** As a browser reads them: an element ends with the first end tag, in any case. */
const scriptsIn = (html: string): string[] =>
  Array.from(html.matchAll(/<script>(.*?)<\/script/gis), ([, script]) => script.trim());

test('no text of a script can end it, and the text stays the same', () => {
  const evil = '</script><!--<script></SCRIPT>`';
  const code = `return [${JSON.stringify(evil)}, /<\\/script|<!--/u.source.length, \`</script>\`];`;
  const html = pageOf(code, 'second');
  const [first, second, ...more] = scriptsIn(html);
  assert.is(second, 'second');
  assert.is(more.length, 0);
  assert.not.match(html, /<!--/);
  assert.equal(new Function(first)().at(0), evil);
  assert.equal(new Function(first)().at(2), '</script>');
});

test('the pages’ scripts are taken as they are', () => {
  assert.equal(scriptsIn(pageOf(clientBundles.eval, clientBundles.trace)), [
    clientBundles.eval,
    clientBundles.trace,
  ]);
});

test.run();
