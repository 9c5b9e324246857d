/** The style sheet of the server's page. */
export const WATCH_STYLE = `
:root { --heat: #f2a53a; --run: #b9b3a8; }
@media (prefers-color-scheme: dark) { :root { --heat: #92510c; --run: #5e5c63; } }
header { padding-bottom: 1.5rem; }
h1 { margin-bottom: 0.25rem; }
h2 { margin: 0; font-size: 1rem; }
a { color: var(--accent); }

/* What is asked */
label { font-size: 0.9rem; color: var(--soft); }
textarea, input, select {
  border: 1px solid var(--line);
  border-radius: 0.5rem;
  background: var(--card);
  color: var(--ink);
  font: inherit;
}
textarea { display: block; width: 100%; margin-top: 0.3rem; padding: 0.75rem 1rem; resize: vertical; }
input:not([type=checkbox]), select { width: 100%; height: 2.4rem; padding: 0 0.6rem; }
summary { margin: 0.75rem 0 0; cursor: pointer; color: var(--soft); font-size: 0.9rem; }
.settings { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(17rem, 100%), 1fr)); gap: 1rem 2rem; margin-top: 0.75rem; }
.settings .note { margin-top: 0.25rem; }
.buttons { display: flex; flex-wrap: wrap; gap: 0.5rem 1rem; align-items: center; margin-top: 1rem; }
.buttons button { min-width: 7rem; height: 2.6rem; font-weight: 600; }
#start { background: var(--accent); border-color: var(--accent); color: var(--card); }

/* The two answers */
#sides { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 2rem; margin-top: 2rem; align-items: start; }
.side .text { margin-top: 0.5rem; min-height: 6rem; padding: 0.9rem 1.1rem; border-radius: 0.75rem; background: var(--card); line-height: 1.9; }
progress { display: block; width: 100%; height: 0.3rem; margin-top: 0.5rem; }
.token { border-radius: 0.2em; background-color: color-mix(in oklab, var(--heat) var(--heat-share, 0%), var(--card)); }
[data-mark]::before { content: attr(data-mark); font-style: normal; font-size: 0.8em; color: var(--soft); }
.trouble { margin-top: 0.5rem; color: var(--no); }
.facts { display: flex; flex-wrap: wrap; gap: 0.25rem 1.5rem; margin-top: 0.6rem; font-size: 0.9rem; }
.facts div { display: flex; gap: 0.4rem; }
.more { margin-top: 0.4rem; font-size: 0.9rem; min-height: 1.5em; }
dt { color: var(--soft); }
dd { font-variant-numeric: tabular-nums; }
#key-of-shades { display: flex; gap: 0.6rem; align-items: center; margin-top: 1rem; }
#sides[hidden] + #key-of-shades { display: none; }
.bar { width: 8rem; height: 0.7rem; border-radius: 0.2rem; box-shadow: inset 0 0 0 1px var(--line); background: linear-gradient(to right in oklab, var(--card), var(--heat)); }

/* Probabilities of final answers */
#odds, #tree-section { margin-top: 2rem; }
#odds { max-width: 40rem; }
td { padding: 0.25rem 0.5rem; border-bottom: 1px solid var(--line); }
td:nth-child(1) { padding-left: 0; overflow-wrap: anywhere; white-space: pre-wrap; }
td:nth-child(2) { text-align: right; white-space: nowrap; }
.without { color: var(--soft); font-style: italic; }
.share { width: 45%; }
.share i { display: block; height: 0.8rem; min-width: 1px; border-radius: 0.15rem; background: var(--run); }
tr:first-child .share i { background: var(--accent); }

/* The tree */
.heading { gap: 0 1rem; align-items: baseline; }
#tree-box { margin-top: 0.5rem; overflow-x: auto; }
#tree { display: block; }
#tree text { fill: var(--soft); font-size: 12px; white-space: pre; }
#tree .final text { fill: var(--ink); }
.run { fill: none; stroke: var(--run); stroke-linecap: butt; }
.run.final { stroke: var(--accent); }

footer { padding-top: 2.5rem; }
@media (prefers-reduced-motion: no-preference) {
  .token.fresh { animation: arrive 0.4s ease-out; }
  .share i { transition: width 0.2s; }
  @keyframes arrive { from { opacity: 0.3; } }
}
@media (max-width: 48rem) {
  #sides { grid-template-columns: minmax(0, 1fr); }
}
`;
