/**
 * The style sheet of an evaluation's page. --c0 to --c7 tell families of samplers apart, in either scheme and for colour-blind
 * readers; beside them each family has a shape.
 */
export const STYLE = `
:root {
  --c0: #4a7ff5;
  --c1: #db7312;
  --c2: #1c5230;
  --c3: #6b2a8c;
  --c4: #85663a;
  --c5: #2a719f;
  --c6: #191816;
  --c7: #938f8d;
}
@media (prefers-color-scheme: dark) {
  :root {
    --c0: #7091fe;
    --c1: #e38b1a;
    --c2: #557d5d;
    --c3: #9052b1;
    --c4: #f5c766;
    --c5: #7bc5fe;
    --c6: #eae8e0;
    --c7: #a09e9a;
  }
}
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
header { padding-bottom: 1.75rem; }
h1 { overflow-wrap: anywhere; }
h2 { margin: 0 0 0.6rem; font-size: 1.1rem; }
h3, h4 { margin: 0; font-size: 0.9rem; overflow-wrap: anywhere; }
fieldset { margin: 0; }
main { display: grid; gap: 2.75rem; grid-template-columns: minmax(0, 1fr); }
.heading { gap: 0.4rem 1rem; align-items: center; margin-bottom: 0.6rem; }
.heading h2 { margin: 0; }
.note { margin-top: 0.6rem; max-width: 62rem; }
.card, .scroll {
  background: var(--card);
  border: 1px solid var(--line);
  border-radius: 0.75rem;
}
:focus-visible { outline-offset: 1px; }
a { color: var(--accent); }

#facts { display: flex; flex-wrap: wrap; gap: 0.2rem 1.5rem; color: var(--soft); font-size: 0.9rem; }
#facts div { display: flex; gap: 0.45rem; min-width: 0; }
#facts dt { flex: none; }
#facts dd { color: var(--ink); overflow-wrap: anywhere; }
#findings { display: grid; gap: 0.35rem; padding: 0.9rem 1.25rem; border-left: 3px solid var(--accent); background: var(--card); border-radius: 0 0.75rem 0.75rem 0; }
#findings p { overflow-wrap: anywhere; max-width: 66rem; }
#findings .warning { color: var(--no); }

/* Tables */
.scroll { overflow-x: auto; }
table { font-size: 0.84rem; }
.scroll th, .scroll td { padding: 0.5rem 0.5rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); }
.scroll thead th { font-weight: 400; color: var(--soft); vertical-align: bottom; white-space: normal; line-height: 1.25; }
.scroll thead th.start { text-align: left; }
.scroll tbody tr:last-child > * { border-bottom: 0; }
.scroll th:first-child { position: sticky; left: 0; z-index: 1; background: var(--card); text-align: left; }
.scroll tbody th { font-weight: 400; white-space: normal; min-width: 11.5rem; max-width: 17rem; }
.name { display: grid; grid-template-columns: 1em 1.6em minmax(0, 1fr); gap: 0.35rem; align-items: baseline; overflow-wrap: anywhere; line-height: 1.3; }
.name b { font-weight: 650; text-align: center; white-space: nowrap; }
.icon { width: 0.85em; height: 0.85em; flex: none; overflow: visible; align-self: center; }
.best { font-weight: 650; }
.on-frontier::before { content: '◆'; margin-right: 0.3em; font-size: 0.75em; color: var(--accent); vertical-align: 0.1em; }
.range { display: grid; grid-template-columns: 6rem auto; gap: 0.2rem 0.7rem; align-items: center; justify-content: start; }
.range small { color: var(--soft); font-size: 0.92em; }
.range > span { display: grid; grid-template-columns: 3.4rem 5.6rem; text-align: right; }
.track { position: relative; height: 0.7rem; border-radius: 0.35rem; background: color-mix(in oklab, var(--soft) 16%, var(--card)); }
.track i { position: absolute; top: 0; bottom: 0; }
.track .span { border-radius: 0.35rem; background: color-mix(in oklab, var(--accent) 42%, var(--card)); }
.track .at { width: 3px; margin-left: -1.5px; top: -0.15rem; bottom: -0.15rem; border-radius: 2px; background: var(--ink); }
.track .zero { width: 1px; background: var(--soft); top: -0.3rem; bottom: -0.3rem; }
td button { min-width: 0; height: auto; padding: 0.05rem 0.45rem; }

/* Charts */
#costs { display: flex; flex-wrap: wrap; border: 0; padding: 0; font-size: 0.88rem; }
#costs label { padding: 0.3rem 0.8rem; border: 1px solid var(--line); background: var(--card); cursor: pointer; margin-left: -1px; }
#costs label:first-of-type { border-radius: 0.5rem 0 0 0.5rem; }
#costs label:last-of-type { border-radius: 0 0.5rem 0.5rem 0; }
#costs input { position: absolute; opacity: 0; }
#costs label:has(:checked) { background: var(--accent); border-color: var(--accent); color: var(--card); }
#costs label:has(:focus-visible) { outline: 2px solid var(--accent); outline-offset: 2px; z-index: 1; }
.card { padding: 1rem 1.1rem; }
#frontier-box { position: relative; height: 26rem; }
#legend { display: flex; flex-wrap: wrap; gap: 0.3rem 1.3rem; margin-top: 0.75rem; font-size: 0.85rem; }
#legend li { display: inline-flex; gap: 0.4rem; align-items: center; overflow-wrap: anywhere; }
#legend .dashes { width: 1.8em; border-top: 2px dashed var(--soft); }
#lengths { display: grid; gap: 0.75rem; grid-template-columns: repeat(auto-fill, minmax(min(17rem, 100%), 1fr)); }
#lengths article { padding: 0.7rem 0.9rem 0.5rem; min-width: 0; display: flex; flex-direction: column; }
#lengths .plot { position: relative; height: 6.5rem; margin-top: auto; padding-top: 0.4rem; }
#lengths p { color: var(--soft); font-size: 0.82rem; font-variant-numeric: tabular-nums; }

/* Items */
#filters { display: grid; gap: 0.5rem; grid-template-columns: minmax(0, 1fr); font-size: 0.88rem; margin-bottom: 0.9rem; }
#filters div { display: flex; flex-wrap: wrap; gap: 0.5rem 1rem; align-items: center; }
#filters label, .condition { color: var(--soft); }
#filters label, .condition { display: inline-flex; gap: 0.45rem; align-items: center; min-width: 0; }
select, input[type='search'] {
  height: 2.1rem;
  min-width: 0;
  max-width: 15rem;
  padding: 0 0.5rem;
  border: 1px solid var(--line);
  border-radius: 0.5rem;
  background: var(--card);
  color: var(--ink);
  font: inherit;
}
.heading label { font-size: 0.88rem; color: var(--soft); display: inline-flex; gap: 0.5rem; align-items: center; min-width: 0; }
button { height: 2.1rem; padding: 0 0.8rem; }
button:hover { border-color: var(--accent); }
#marks { display: flex; flex-wrap: wrap; gap: 0.3rem 1.1rem; margin-bottom: 0.6rem; font-size: 0.85rem; color: var(--soft); }
#marks li { display: inline-flex; gap: 0.4rem; align-items: center; }
#items { table-layout: fixed; background: var(--card); border: 1px solid var(--line); border-radius: 0.75rem; border-collapse: separate; border-spacing: 0; }
#items th, #items td { border-bottom: 1px solid var(--line); padding: 0.2rem; text-align: center; font-weight: 400; }
#items tbody tr:last-child > * { border-bottom: 0; }
#items thead th { color: var(--soft); font-weight: 650; padding: 0.4rem 0.2rem; }
#items thead th:first-child { text-align: left; padding-left: 1rem; font-weight: 400; }
#items .mark-column { width: 2.5rem; }
#items.counts .mark-column { width: 3.2rem; }
.mark {
  display: inline-block;
  min-width: 1.75rem;
  padding: 0 0.3rem;
  border-radius: 0.35rem;
  line-height: 1.6rem;
  font-size: 0.85rem;
  text-align: center;
  background: color-mix(in oklab, var(--soft) 13%, var(--card));
  color: var(--soft);
}
.mark.right { background: color-mix(in oklab, var(--accent) 17%, var(--card)); color: var(--accent); font-weight: 650; }
.mark.wrong { background: color-mix(in oklab, var(--no) 11%, var(--card)); color: var(--no); }
.mark.partly { color: var(--ink); }
.mark.missing { background: none; }
.opener { display: flex; gap: 0.8rem; align-items: baseline; width: 100%; height: auto; padding: 0.3rem 0.8rem; border: 0; background: none; text-align: left; overflow: hidden; }
.opener::before { content: '▸'; color: var(--soft); flex: none; }
.opener[aria-expanded='true']::before { content: '▾'; }
.opener b { flex: none; max-width: 45%; font-weight: 650; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.opener span { min-width: 0; color: var(--soft); overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.opener:hover span { color: var(--ink); }
#items .detail td { padding: 0.5rem 1rem 1.25rem; text-align: left; }
.asked { display: grid; gap: 0.75rem 1.25rem; grid-template-columns: minmax(0, 2fr) minmax(0, 1fr); margin-bottom: 1rem; }
.text {
  margin-top: 0.3rem;
  padding: 0.6rem 0.85rem;
  max-height: 14rem;
  overflow: auto;
  background: var(--paper);
  border-radius: 0.5rem;
  line-height: 1.45;
  unicode-bidi: isolate;
}
.responses { display: grid; gap: 0.6rem 1.25rem; grid-template-columns: repeat(auto-fill, minmax(min(26rem, 100%), 1fr)); align-items: start; }
.responses details { min-width: 0; border-top: 1px solid var(--line); padding-top: 0.5rem; }
.responses summary { display: grid; grid-template-columns: auto minmax(0, 1fr) auto; gap: 0.6rem; align-items: baseline; cursor: pointer; list-style: none; }
.responses summary::-webkit-details-marker { display: none; }
.responses summary .aside { white-space: nowrap; }
.responses .said { overflow-wrap: anywhere; }
.responses .facts { margin-top: 0.35rem; }
.responses .aside { font-size: 0.78rem; }
/* Where it is narrow or there are many marks: a row is the item and below it its marks, each with its letter. */
#items.stacked, .stacked tbody { display: block; }
#items.stacked thead, #items.stacked colgroup { display: none; }
#items.stacked tr { display: flex; flex-wrap: wrap; gap: 0.25rem 0.4rem; padding: 0.35rem 0.7rem 0.55rem; border-bottom: 1px solid var(--line); }
#items.stacked tr:last-child { border-bottom: 0; }
#items.stacked tbody th, #items.stacked tbody td { padding: 0; border: 0; }
#items.stacked tbody th, #items.stacked .detail td { width: 100%; }
#items.stacked td[data-key] { display: inline-flex; gap: 0.3rem; width: 2.35rem; align-items: center; }
#items.stacked.counts td[data-key] { width: 2.9rem; }
#items.stacked td[data-key]::before { content: attr(data-key); min-width: 0.7rem; font-size: 0.78rem; color: var(--soft); }
#items.stacked .detail td { padding: 0; }
.stacked .opener { padding: 0.25rem 0; }
.stacked .mark { min-width: 1.5rem; line-height: 1.45rem; }
#more { margin-top: 0.75rem; }

#options { display: grid; gap: 0.3rem; font-size: 0.88rem; }
#options summary { cursor: pointer; }
#options summary .name { display: inline-grid; vertical-align: baseline; }
#options dl { columns: 4 13rem; column-gap: 2rem; padding: 0.5rem 0 0.75rem 1.1rem; }
#options dl div { display: flex; justify-content: space-between; gap: 1rem; break-inside: avoid; border-bottom: 1px solid var(--line); padding: 0.15rem 0; }
#options dt { color: var(--soft); }
#options dd { overflow-wrap: anywhere; text-align: right; }
footer { padding-top: 2.5rem; }

@media (max-width: 36rem) {
  header { padding-bottom: 1.25rem; }
  main { gap: 2.25rem; }
  .card { padding: 0.75rem 0.6rem; }
  #frontier-box { height: 21rem; }
  .scroll th, .scroll td { padding: 0.45rem 0.55rem; }
  .scroll tbody th { min-width: 8rem; max-width: 8rem; font-size: 0.8rem; }
  .name { gap: 0.25rem; }
  .range { grid-template-columns: 2.5rem auto; gap: 0.2rem; }
  .range > span { grid-template-columns: 2.9rem 5.3rem; }
  #costs { display: grid; grid-template-columns: repeat(3, auto); width: 100%; font-size: 0.8rem; line-height: 1.2; text-align: center; }
  #costs label { padding: 0.3rem 0.4rem; }
  .scroll thead th { line-height: 1.15; }
  #filters label, .condition { width: 100%; }
  #filters label > *, .condition > select { flex: 1; max-width: none; }
  .asked { grid-template-columns: minmax(0, 1fr); }
}
`;
