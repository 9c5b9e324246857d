/** The style sheet of a trace page. One hue for the chain's doings, one for entropy, and both in either scheme. */
export const STYLE = `
:root {
  --heat: #f2a53a;
  --work: #0c8577;
  --run: #b9b3a8;
  --hatch: rgb(29 28 26 / 0.13);
  --shadow: 0 1px 2px rgb(29 28 26 / 0.05), 0 8px 24px rgb(29 28 26 / 0.06);
}
@media (prefers-color-scheme: dark) {
  :root {
    --heat: #92510c;
    --work: #2fb5a4;
    --run: #5e5c63;
    --hatch: rgb(235 232 226 / 0.14);
    --shadow: 0 1px 2px rgb(0 0 0 / 0.4), 0 8px 24px rgb(0 0 0 / 0.3);
  }
}
header { padding-bottom: 2rem; }
h2 { margin: 0; font-size: 1rem; }
h3 { margin: 0 0 0.5rem; font-size: 0.95rem; }
#explanation { max-width: 54rem; color: var(--soft); }
.heading { gap: 0 1rem; align-items: baseline; }
.note { margin-top: 0.75rem; }

#columns { display: grid; gap: 2.5rem; grid-template-columns: minmax(0, 1fr) minmax(0, 25rem); align-items: start; }
#columns:has(#steps[hidden]) { grid-template-columns: minmax(0, 54rem); }
.texts, #steps { display: grid; gap: 2rem; min-width: 0; }
#steps { position: sticky; top: 1.5rem; }

/* Prompt and answer */
.text {
  margin-top: 0.5rem;
  padding: 0.9rem 1.25rem;
  background: var(--card);
  border-radius: 0.75rem;
  font-variant-numeric: tabular-nums;
}
#prompt { max-height: 14rem; overflow-y: auto; }
#answer { padding-top: 1.1rem; line-height: 2.15; font-size: 1.05rem; }
.token {
  position: relative;
  padding: 0.16em 0;
  border-radius: 0.2em;
  background-color: color-mix(in oklab, var(--heat) var(--heat-share, 0%), var(--card));
  outline-offset: 1px;
}
.token:hover { box-shadow: 0 0 0 1.5px var(--ink); z-index: 1; }
[data-mark]::before { content: attr(data-mark); font-style: normal; font-size: 0.8em; }
.token[data-mark]::before, .control::before { padding: 0.1em 0.45em; border: 1px solid var(--soft); border-radius: 1em; }
.token.fresh, .sample.fresh { text-decoration: underline 2px var(--accent); text-underline-offset: 0.38em; text-decoration-skip-ink: none; }
.token.tried, .sample.tried { text-decoration: underline 2px dotted var(--no); text-underline-offset: 0.38em; text-decoration-skip-ink: none; }
/* A cut lies between two tokens; its pin counts how often it was made. */
.token[data-cuts] { border-top-left-radius: 0; border-bottom-left-radius: 0; box-shadow: inset 1.5px 0 var(--accent); }
.token[data-accepted="0"] { box-shadow: inset 1.5px 0 var(--soft); }
.token.cut { box-shadow: -1px 0 var(--accent), inset 2px 0 var(--accent); }
.token.cut.tried { box-shadow: -1px 0 var(--no), inset 2px 0 var(--no); }
.token[data-cuts]::after, .pin {
  content: attr(data-cuts);
  position: absolute;
  left: 0;
  top: -0.85em;
  transform: translateX(-50%);
  min-width: 1.3em;
  padding: 0 0.25em;
  border: 1px solid var(--accent);
  border-radius: 1em;
  background: var(--accent);
  color: var(--card);
  font-size: 0.6rem;
  font-style: normal;
  line-height: 1.25;
  text-align: center;
  text-decoration: none;
}
.token[data-accepted="0"]::after, .pin.never { background: var(--card); border-color: var(--soft); color: var(--soft); }
.closed .token, .hatched {
  background-image: repeating-linear-gradient(135deg, var(--hatch) 0 1.5px, transparent 1.5px 6px);
}
/* Pins stand above the line, tags below it: neither moves the text. */
.block { position: relative; }
.closed::before {
  content: 'closed';
  position: absolute;
  z-index: 1;
  left: 0.1em;
  top: 1.9em;
  white-space: nowrap;
  padding: 0 0.4em;
  border: 1px dashed var(--soft);
  border-radius: 1em;
  background: var(--card);
  color: var(--soft);
  font-size: 0.66rem;
  line-height: 1.25;
}

/* What was computed */
.by-origin .token { background-color: var(--card); background-image: none; }
.by-origin .token.of-computed, .sample.of-computed { background-color: color-mix(in oklab, var(--work) 45%, var(--card)); }
.by-origin .token.of-drafted, .sample.of-drafted {
  background-image: repeating-linear-gradient(135deg, color-mix(in oklab, var(--work) 55%, var(--card)) 0 2px, var(--card) 2px 5px);
}
.sample.of-free { border-radius: 0.2em; box-shadow: inset 0 0 0 1px var(--line); }
.sample.of-computed, .sample.of-drafted { border-radius: 0.2em; }
#origins { margin-top: 1rem; }
#shading { display: flex; flex-wrap: wrap; gap: 0.1rem 1rem; align-items: baseline; margin: 0.75rem 0 0; padding: 0; border: 0; font-size: 0.85rem; color: var(--soft); }
#shading legend { float: left; padding: 0; }
#shading label { display: inline-flex; gap: 0.35rem; align-items: center; cursor: pointer; }
#shading input { margin: 0; }
rect.of-computed { fill: var(--work); }
rect.of-drafted { fill: url(#stripes); }
rect.of-free { fill: none; }
#stripes path { stroke: var(--work); stroke-width: 1.6; }

/* The map */
#map { display: block; width: 100%; height: 100px; margin-top: 0.5rem; cursor: pointer; }
#map text { fill: var(--soft); font-size: 11px; font-variant-numeric: tabular-nums; }
.profile { fill: var(--heat); }
.ground { stroke: var(--line); }
.shut { fill: url(#hatch); }
#hatch path { stroke: var(--hatch); stroke-width: 1.5; }
.took { fill: var(--accent); }
.left { fill: var(--paper); stroke: var(--soft); }
.now { stroke: var(--accent); stroke-width: 1.5; }
.now.rejected { stroke: var(--no); }

/* What the marks mean */
.keys { margin-top: -0.75rem; display: grid; gap: 1.25rem 2.5rem; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); font-size: 0.85rem; color: var(--soft); }
.keys li { display: flex; gap: 0.75rem; align-items: baseline; margin-bottom: 0.35rem; }
.sample { flex: none; width: 2.6rem; text-align: center; color: var(--ink); }
.sample.hatched { border-radius: 0.2em; }
.pin { position: static; display: inline-block; transform: none; }
.bar {
  position: relative;
  height: 0.8rem;
  margin: 1.5rem 0 0.3rem;
  border-radius: 0.2rem;
  box-shadow: inset 0 0 0 1px var(--line);
  background: linear-gradient(to right in oklab, var(--card), var(--heat));
}
.ends { display: flex; justify-content: space-between; }
#gate { position: absolute; top: -1.1rem; bottom: 0; padding-left: 0.35rem; border-left: 1.5px solid var(--ink); font-style: normal; font-size: 0.75rem; line-height: 1; white-space: nowrap; }

/* The step */
.outcome { display: inline-flex; gap: 0.45rem; align-items: center; font-size: 1.25rem; text-transform: capitalize; }
.outcome.accepted { color: var(--accent); }
.outcome.rejected { color: var(--no); }
.outcome.held { color: var(--soft); }
#step-text { margin-top: 0.4rem; }
#step .note:empty { display: none; }
#step-costs { margin-top: 0.25rem; }
.shape { width: 0.9em; height: 0.9em; flex: none; overflow: visible; }
path.grown { fill: var(--ink); }
path.accepted { fill: var(--accent); }
path.rejected { fill: none; stroke: var(--no); stroke-width: 1.8; stroke-linecap: round; }
path.held { fill: var(--card); stroke: var(--soft); stroke-width: 1.4; }
#candidates { margin-top: 0.75rem; max-height: 19rem; overflow-y: auto; }
table { font-size: 0.9rem; }
th { font-weight: 400; color: var(--soft); }
th, td { padding: 0.25rem 0.5rem; text-align: right; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
th:last-child, td:last-child { text-align: left; padding-left: 1rem; color: var(--soft); }
.taken td, .taken td:last-child { font-weight: 650; color: var(--accent); }

/* The chart */
#chart { display: block; width: 100%; height: 240px; margin-top: 0.5rem; cursor: pointer; overflow: visible; }
#chart text { fill: var(--soft); font-size: 12px; font-variant-numeric: tabular-nums; }
.grid { stroke: var(--line); }
.boundary { stroke: var(--soft); stroke-opacity: 0.55; stroke-dasharray: 2 4; }
.path { fill: none; stroke: var(--soft); stroke-opacity: 0.5; stroke-width: 1.2; }
.here line { stroke: var(--accent); stroke-width: 1.2; }
.here circle { fill: var(--paper); stroke: var(--accent); stroke-width: 1.6; }
#outcomes { display: flex; flex-wrap: wrap; gap: 0.25rem 1.1rem; margin-top: 0.5rem; font-size: 0.85rem; }
#outcomes li { display: inline-flex; gap: 0.4rem; align-items: center; }

/* The tree */
.wide { margin-top: 2.5rem; padding-top: 2rem; border-top: 1px solid var(--line); }
#tree-section .note { margin-top: 0.25rem; }
#tree-box { margin-top: 0.75rem; overflow-x: auto; }
#tree { display: block; }
#tree text { fill: var(--soft); font-size: 12px; white-space: pre; }
#tree .final text { fill: var(--ink); }
#tree .count { font-size: 11px; font-variant-numeric: tabular-nums; }
.segment { outline: none; }
.segment:hover .run, .segment:focus-visible .run { stroke: var(--ink); }
.touch { fill: transparent; }
.run { fill: none; stroke: var(--run); stroke-linecap: butt; }
.run.final { stroke: var(--accent); }
.place { fill: var(--paper); stroke: var(--ink); stroke-width: 2; }
.line { width: 1.75rem; height: 0.8rem; flex: none; }
#tree-keys { display: flex; flex-wrap: wrap; gap: 0.25rem 1.5rem; margin-top: 0.75rem; font-size: 0.85rem; color: var(--soft); }
#tree-keys li { display: inline-flex; gap: 0.5rem; align-items: center; }
#tree-more { margin-top: 0.75rem; padding: 0 1rem; font-size: 0.9rem; }

/* Probabilities of answers, and weights */
#odds { display: grid; gap: 2rem 3rem; grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr)); }
#answers-section { max-width: 36rem; }
#answers-section td:nth-child(1) { text-align: left; overflow-wrap: anywhere; white-space: pre-wrap; }
#answers-section td:nth-child(2) { white-space: nowrap; }
#answers-section .without { color: var(--soft); font-style: italic; }
#answers-section .share { width: 45%; }
.share i { display: block; height: 0.8rem; min-width: 1px; border-radius: 0.15rem; background: var(--run); }
tr:first-child .share i { background: var(--accent); }
#particles { display: block; width: 100%; height: 110px; margin-top: 0.5rem; }
#particles text { fill: var(--soft); font-size: 11px; font-variant-numeric: tabular-nums; }
.weight { fill: var(--run); }
.chosen { fill: var(--accent); }

/* The account */
#account { margin-top: 2.5rem; columns: 3 16rem; column-gap: 3rem; padding-top: 2rem; border-top: 1px solid var(--line); font-size: 0.9rem; }
#account section { break-inside: avoid; padding-bottom: 2rem; }
#account dl div { display: flex; flex-wrap: wrap; gap: 0 1rem; justify-content: space-between; padding: 0.25rem 0; border-bottom: 1px solid var(--line); }
dt { color: var(--soft); }
dd { font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }

/* The player */
#transport {
  position: sticky;
  bottom: 0;
  z-index: 2;
  display: flex;
  gap: 0.6rem;
  align-items: center;
  max-width: 73rem;
  margin: 2.5rem auto 0;
  padding: 0.75rem 1.25rem;
  background: var(--card);
  border: 1px solid var(--line);
  border-bottom: 0;
  border-radius: 0.75rem 0.75rem 0 0;
  box-shadow: var(--shadow);
}
#slider { flex: 1; min-width: 0; margin: 0; }
button {
  min-width: 2.5rem;
  height: 2.5rem;
  padding: 0 0.5rem;
}
button:hover:enabled { border-color: var(--accent); }
button:disabled { opacity: 0.4; cursor: default; }
#play { min-width: 5rem; background: var(--accent); border-color: var(--accent); color: var(--card); font-weight: 600; }
#counter-text { text-align: right; }
#counter { min-width: 5rem; display: flex; gap: 0.5rem; align-items: center; justify-content: end; font-variant-numeric: tabular-nums; color: var(--soft); }
footer { padding-top: 1.5rem; }

#tooltip {
  position: fixed;
  z-index: 3;
  max-width: min(20rem, calc(100vw - 16px));
  padding: 0.6rem 0.85rem;
  border-radius: 0.6rem;
  background: var(--ink);
  color: var(--card);
  font-size: 0.85rem;
  pointer-events: none;
}
#tooltip b::before { content: '“'; }
#tooltip b::after { content: '”'; }
#tooltip b { display: block; margin-bottom: 0.25rem; white-space: pre-wrap; overflow-wrap: anywhere; }
#tooltip dl { display: grid; grid-template-columns: auto 1fr; gap: 0.05rem 0.9rem; }
#tooltip dt, #tooltip [data-mark]::before { color: inherit; opacity: 0.75; }

@media (prefers-reduced-motion: no-preference) {
  .token.fresh { animation: arrive 0.5s ease-out; }
  @keyframes arrive { from { opacity: 0.25; } }
}
@media (max-width: 60rem) {
  #columns { grid-template-columns: minmax(0, 1fr); }
  .texts, #steps { display: contents; }
  #step { order: 1; }
  .keys { order: 2; }
  #chart-section { order: 3; }
}
@media (max-width: 36rem) {
  header { padding-bottom: 1.5rem; }
  .text { padding-left: 0.9rem; padding-right: 0.9rem; }
  .keys { grid-template-columns: minmax(0, 1fr); }
  #transport { border-left: 0; border-right: 0; border-radius: 0; padding: 0.6rem 1rem; gap: 0.4rem; }
  #play { min-width: 4.2rem; }
  #counter { min-width: 4.4rem; }
}
`;
