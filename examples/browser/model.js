// The model, wherever it runs: in a worker, so that the page answers meanwhile, or in the page itself.
import { generate, loadModel } from 'egps';

/** What carries out the page's requests. `tell` is given what becomes of them: objects that can be sent to another thread. */
export function serve(tell) {
  let model;
  let stop = new AbortController();

  const requests = {
    async load({ address }) {
      model?.dispose();
      model = undefined;
      model = await loadModel(address, {
        onAdapter: ({ description, cpu }) => tell({ type: 'adapter', description, cpu }),
        onFetch: (done, total) => tell({ type: 'progress', doing: 'fetching the model', done, total }),
        onProgress: (done, total) => tell({ type: 'progress', doing: 'loading the model', done, total }),
      });
      tell({ type: 'ready', warnings: model.warnings });
    },

    async answer({ prompt, options }) {
      stop = new AbortController();
      const begun = performance.now();
      const { text, tokens, logProbability, answers, account } = await generate(model, prompt, {
        ...options,
        extract: 'boxed',
        signal: stop.signal,
        onProgress: ({ step, steps }) =>
          tell({ type: 'progress', doing: 'answering', done: step, total: steps }),
      });
      const seconds = (performance.now() - begun) / 1000;
      tell({ type: 'answer', text, tokens, logProbability, answers, account, seconds });
    },

    async stop() {
      stop.abort(new DOMException('stopped', 'AbortError'));
    },
  };

  return (request) =>
    requests[request.type](request).catch(({ name, message }) => tell({ type: 'error', name, message }));
}
