/** The style sheet that every page begins with: colours in light and in dark, the widths, and what looks the same everywhere. */
export const BASE = `
:root {
  --paper: #faf9f7;
  --card: #ffffff;
  --ink: #1d1c1a;
  --soft: #625e57;
  --line: #e5e1d9;
  --accent: #1d5fc4;
  --no: #b23a2e;
  font: 16px/1.55 system-ui, sans-serif;
  color: var(--ink);
  background: var(--paper);
  accent-color: var(--accent);
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #131315;
    --card: #1b1b1e;
    --ink: #ebe8e2;
    --soft: #a8a49c;
    --line: #333338;
    --accent: #84b0ff;
    --no: #ff9387;
  }
}
* { box-sizing: border-box; }
[hidden] { display: none !important; }
body { margin: 0; }
header, main, footer { max-width: 76rem; margin: 0 auto; padding: 0 1.5rem; }
header { padding-top: 3rem; }
footer { padding-bottom: 2rem; color: var(--soft); font-size: 0.85rem; }
h1 { margin: 0 0 0.75rem; font-size: 1.9rem; line-height: 1.2; font-weight: 650; letter-spacing: -0.02em; }
h2, h3, h4 { font-weight: 650; }
p, dl, dd { margin: 0; }
ul { margin: 0; padding: 0; list-style: none; }
section { min-width: 0; }
.heading { display: flex; flex-wrap: wrap; justify-content: space-between; }
.aside, .note { color: var(--soft); font-size: 0.85rem; font-variant-numeric: tabular-nums; }
.text { border: 1px solid var(--line); white-space: pre-wrap; overflow-wrap: anywhere; }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
button {
  border: 1px solid var(--line);
  border-radius: 0.5rem;
  background: var(--card);
  color: var(--ink);
  font: inherit;
  cursor: pointer;
}
:focus-visible { outline: 2px solid var(--accent); }
@media (max-width: 36rem) {
  header, main, footer { padding-left: 1rem; padding-right: 1rem; }
  header { padding-top: 1.75rem; }
  h1 { font-size: 1.5rem; }
}
`;
