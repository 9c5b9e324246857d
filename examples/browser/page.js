// The page. Its model is in a worker; with ?thread=page it is in the page, which does not answer as quickly then.

const $ = (selector) => document.querySelector(selector);
const show = (selector, shown = true) => {
  $(selector).hidden = !shown;
};
const form = $('#ask');
let send;
/** Whether the model can be asked. */
let ready = false;

/** Where the model is: addresses in a worker would be those beside its script. */
const MODEL = new URL('abacus/', document.baseURI).href;

async function start() {
  if (new URLSearchParams(location.search).get('thread') === 'page') {
    const { serve } = await import('./model.js');
    return serve(told);
  }
  const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
  worker.onmessage = ({ data }) => told(data);
  worker.onerror = ({ message }) =>
    told({ type: 'error', name: 'Error', message: message || 'the worker does not start' });
  return (request) => worker.postMessage(request);
}

const on = {
  adapter({ description, cpu }) {
    $('#adapter').textContent = `${description}${cpu ? ' (computes on the CPU)' : ''}`;
  },

  progress({ doing, done, total }) {
    show('#progress');
    $('#doing').textContent = doing;
    Object.assign($('progress'), { max: total, value: done });
  },

  ready({ warnings }) {
    ready = true;
    rest();
    const items = warnings.map((text) => Object.assign(document.createElement('li'), { textContent: text }));
    $('#warnings').replaceChildren(...items);
    show('#warnings', items.length > 0);
  },

  answer({ text, tokens, logProbability, answers, account, seconds }) {
    rest();
    const answer = $('#answer');
    Object.assign(answer.dataset, { tokens, logProbability, seconds });
    answer.querySelector('.text').textContent = text.trim();
    const rows = answers.slice(0, 6).map(({ answer, probability }) => {
      const row = document.createElement('tr');
      row.insertCell().textContent = answer ?? 'none';
      row.insertCell().textContent = `${(100 * probability).toFixed(1)} %`;
      return row;
    });
    answer.querySelector('tbody').replaceChildren(...rows);
    const costs = `${account.drawnTokens} tokens drawn in ${account.sequentialPasses} passes, ${seconds.toFixed(1)} s`;
    $('#costs').textContent = `log p ${logProbability.toFixed(2).replace('-', '−')} · ${costs}`;
    show('#answer');
  },

  error({ name, message }) {
    rest();
    if (name === 'AbortError') return;
    // A device that is lost takes the model with it.
    ready &&= name !== 'DeviceLostError';
    $('#go').disabled = !ready;
    $('#error h2').textContent = name;
    $('#error p').textContent = message;
    show('#error');
    show('#again', !ready);
  },
};

const told = (message) => on[message.type](message);

function work(doing) {
  $('main').ariaBusy = 'true';
  for (const selector of ['#error', '#answer']) show(selector, false);
  show('#progress');
  $('#doing').textContent = doing;
  $('progress').removeAttribute('value');
  $('#go').disabled = true;
}

function rest() {
  $('main').ariaBusy = 'false';
  show('#progress', false);
  show('#stop', false);
  $('#go').disabled = !ready;
}

function load() {
  ready = false;
  work('looking for the model');
  send({ type: 'load', address: MODEL });
}

form.onsubmit = (event) => {
  event.preventDefault();
  const { prompt, particles, finalSteps, seed } = Object.fromEntries(new FormData(form));
  work('answering');
  show('#stop');
  const options = { particles: Number(particles), finalSteps: Number(finalSteps), seed: BigInt(seed) };
  send({ type: 'answer', prompt: prompt.trim(), options });
};
$('#stop').onclick = () => send({ type: 'stop' });
$('#again').onclick = load;

send = await start();
load();
