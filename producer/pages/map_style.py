"""How a map looks."""

STYLE = """
:root { color-scheme: light dark; --paper: #fafafa; --ink: #222; --soft: #666; --card: #fff; --line: #0002; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #16181b; --ink: #eee; --soft: #aaa; --card: #24272b; --line: #fff2; }
}
* { box-sizing: border-box; }
html, body { margin: 0; height: 100%; overflow: hidden; background: var(--paper); color: var(--ink);
  font: 15px/1.4 system-ui, sans-serif; }
canvas { position: fixed; inset: 0; width: 100%; height: 100%; touch-action: none; cursor: grab; }
header { position: fixed; left: .6rem; top: .5rem; max-width: calc(100% - 1.2rem); padding: .3rem .5rem;
  border-radius: 8px; background: color-mix(in srgb, var(--paper) 80%, transparent); pointer-events: none; }
h1 { margin: 0; font-size: 1.15rem; }
header p { margin: .1rem 0 0; color: var(--soft); font-size: .85rem; }
#card { position: fixed; display: none; width: 230px; padding: .5rem; border-radius: 8px; background: var(--card);
  border: 1px solid var(--line); box-shadow: 0 4px 18px #0004; pointer-events: none; font-size: .85rem; }
#card img { display: block; width: 100%; max-height: 230px; object-fit: contain; border-radius: 4px; }
#card div { overflow-wrap: anywhere; margin-top: .3rem; }
#card .name { color: var(--soft); font-size: .78rem; }
"""
