"""How a contact sheet looks: from a phone's width to a wide screen, in light and in dark."""

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #f6f5f3; --card: #fff; --ink: #1c1b1a; --soft: #5d5a56; --line: #e1deda; --accent: #0b57d0;
  font: 16px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif;
}
@media (prefers-color-scheme: dark) {
  :root { --paper: #151413; --card: #201f1d; --ink: #f0eeeb; --soft: #aba69f; --line: #35322f; --accent: #9ec1ff; }
}
* { box-sizing: border-box; }
body { margin: 0; padding: 1rem clamp(.75rem, 3vw, 2.5rem) 3rem; background: var(--paper); color: var(--ink); }
header { max-width: 70rem; }
h1 { margin: .25rem 0; font-size: clamp(1.3rem, 4.5vw, 1.9rem); line-height: 1.2; overflow-wrap: anywhere; }
header p, .empty { margin: .25rem 0 1rem; color: var(--soft); overflow-wrap: anywhere; }
section { margin-top: 1.5rem; }
section + section { border-top: 1px solid var(--line); padding-top: 1rem; }
h2 { margin: 0 0 .75rem; font-size: 1.05rem; font-weight: 600; overflow-wrap: anywhere; }
ol { list-style: none; margin: 0; padding: 0; display: grid; gap: .9rem;
  grid-template-columns: repeat(auto-fill, minmax(min(15rem, 100%), 1fr)); }
li { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; overflow: hidden;
  content-visibility: auto; contain-intrinsic-size: auto 22rem; }
li a { display: block; height: 100%; color: inherit; text-decoration: none; }
li a:hover .name { text-decoration: underline; }
li a:focus-visible { outline: 3px solid var(--accent); outline-offset: -3px; border-radius: .6rem; }
.frame { display: grid; place-items: center; aspect-ratio: 4 / 3; padding: .4rem; background: var(--line); }
.frame img { max-width: 100%; max-height: 100%; width: 100%; height: 100%; object-fit: contain; min-height: 0; }
.frame span { color: var(--soft); font-size: .9rem; text-align: center; }
.text { padding: .6rem .75rem .75rem; }
.text p { margin: 0 0 .25rem; overflow-wrap: anywhere; }
.caption { font-weight: 600; }
.name, .facts { color: var(--soft); font-size: .875rem; }
.name { color: var(--accent); }
.score { float: right; margin-left: .6rem; font-variant-numeric: tabular-nums; color: var(--soft); font-size: .875rem; }
@media (max-width: 34rem) { ol { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: .6rem; }
  .text { padding: .5rem; } .caption { font-size: .9375rem; } .facts { font-size: .8125rem; } }
@media print { li { break-inside: avoid; } }
"""
