import { clientBundles } from './client-bundles.ts';
import { BASE } from './page-style.ts';
import { WATCH_STYLE } from './watch-page-style.ts';

export interface WatchPage {
  /** Of the model. */
  model: string;
  adapter: string;
  /** Whether the model has a chat template. */
  chat: boolean;
  /** Most tokens of an answer. */
  maxTokens: number;
}

/** The page that the server shows: a plain answer and one by power sampling, side by side as they come about. */
export function watchPage(about: WatchPage): string {
  const json = JSON.stringify(about).replaceAll('<', '\\u003c');
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>egps: watch an answer come about</title>
<link rel="icon" href="data:,">
<style>
${BASE}${WATCH_STYLE}</style>
</head>
${BODY}
<script type="application/json" id="about">${json}</script>
<script src="/watch.js"></script>
</html>
`;
}

/** What the page loads. */
export const WATCH_SCRIPT: string = clientBundles.watch;

const BODY = `<body>
<header>
  <h1>Watch an answer come about</h1>
  <p id="model" class="aside"></p>
</header>
<main>
  <form id="ask">
    <label for="problem">Problem</label>
    <textarea id="problem" rows="4" required spellcheck="false">Tom has 64 coins. Tom finds 27. Tom loses 15. Tom buys 38. How many coins now?</textarea>
    <details id="settings">
      <summary>Settings</summary>
      <div class="settings">
        <div id="chat-row"><label><input id="chat" type="checkbox"> As a message</label>
          <p class="note">Wraps the problem in the model's chat template. Base models continue the bare text.</p></div>
        <div><label for="alpha">α</label><input id="alpha" type="number" min="1" step="any" placeholder="4">
          <p class="note">Whole answers are drawn in proportion to p(answer)<sup>α</sup>. 1 is plain sampling; the larger, the more the likeliest answers win.</p></div>
        <div><label for="particles">Particles</label><input id="particles" type="number" min="1" step="1" placeholder="the model's">
          <p class="note">Answers that grow side by side and compete; more are closer to p<sup>α</sup> and cost more.</p></div>
        <div><label for="steps">Steps</label><input id="steps" type="number" min="0" step="1" placeholder="the model's">
          <p class="note">Times that the finished answer is cut where the model was unsure, and its end written anew.</p></div>
        <div><label for="max">Tokens at most</label><input id="max" type="number" min="1" step="1" value="256">
          <p class="note">Longest answer, of both.</p></div>
        <div><label for="temperature">Temperature of the plain answer</label><input id="temperature" type="number" min="0" max="2" step="any" placeholder="1">
          <p class="note">0 takes the likeliest token each time.</p></div>
        <div><label for="extract">Final answer</label><select id="extract"><option value="boxed">in \\boxed{}</option><option value="letter">a letter in \\boxed{}</option><option value="">none</option></select>
          <p class="note">What counts as the same answer, for the probabilities. The answer shown in the end is the likeliest with the most probable final answer.</p></div>
        <div><label for="seed">Seed</label><input id="seed" type="number" min="0" step="1" placeholder="another each time">
          <p class="note">Equal seeds give equal answers.</p></div>
        <div id="key-row" hidden><label for="key">API key</label><input id="key" type="password" autocomplete="off">
          <p class="note">This server asks for one.</p></div>
      </div>
    </details>
    <div class="buttons">
      <button id="start" type="submit">Answer</button>
      <button id="stop" type="button" hidden>Stop</button>
      <span class="note">Ctrl Enter answers, Escape stops.</span>
    </div>
  </form>
  <div id="sides" hidden>
${side('plain', 'Plain answer', 'Token after token from the model’s own probabilities.')}
${side('power', 'Power sampling', 'The whole answer in proportion to p to the power α: what is written may be taken back.')}
  </div>
  <div id="key-of-shades" class="note"><span>Shaded by entropy, how unsure the model was: </span><i class="bar"></i></div>
  <section id="odds" hidden>
    <h2>Final answers and how probable each is</h2>
    <table><tbody id="answers"></tbody></table>
    <p class="note">Under p<sup>α</sup>, by what the run has come by so far.</p>
  </section>
  <section id="tree-section" hidden>
    <div class="heading"><h2>What is being tried, as a tree of beginnings</h2><span id="tree-size" class="aside"></span></div>
    <div id="tree-box" tabindex="0" role="group" aria-label="Tree of beginnings"><svg id="tree" role="img" aria-label="Answers tried: where lines are one, their beginning is shared and computed once"></svg></div>
    <p class="note">Where lines are one, the beginning is shared and was computed once. Blue: the heaviest now.</p>
  </section>
</main>
<footer><p>Nothing leaves this server.</p></footer>
</body>`;

function side(name: string, title: string, meaning: string): string {
  return `    <section class="side" aria-labelledby="${name}-title">
      <div class="heading"><h2 id="${name}-title">${title}</h2><span id="${name}-status" class="aside" role="status"></span></div>
      <p class="note">${meaning}</p>
      <progress id="${name}-progress" max="1" aria-label="${title}: progress" hidden></progress>
      <p id="${name}-trouble" class="trouble" role="alert" hidden></p>
      <div id="${name}-answer" class="text" dir="auto" tabindex="0" role="group" aria-label="${title}"></div>
      <dl id="${name}-facts" class="facts"></dl>
      <p class="more"><a id="${name}-trace" target="_blank" hidden>How it was drawn, step by step</a></p>
    </section>`;
}
