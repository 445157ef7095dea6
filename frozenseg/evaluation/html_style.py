"""How the report looks: on light and dark screens, narrow ones, and on paper."""

STYLE = """
:root { color-scheme: light dark; --page: #fff; --ink: #1c2024; --soft: #60666e; --line: #dfe3e8; --track: #eceff2;
  --seen: #3566c8; --unseen: #cf7417; --all: #59626e; --a: #8fa8d8; --b: #3566c8; --c: #b9c0c9; }
@media (prefers-color-scheme: dark) { :root { --page: #15181c; --ink: #e4e7eb; --soft: #9ba3ad; --line: #30363d;
  --track: #262b31; --seen: #7099ee; --unseen: #eb9a48; --all: #a3abb6; --a: #415a8f; --b: #7099ee; --c: #5c6672; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 76rem; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  font-variant-numeric: tabular-nums; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .4rem; }
h2 { font-size: 1.35rem; margin: 3rem 0 .2rem; padding-top: 1.2rem; border-top: 2px solid var(--line);
  overflow-wrap: anywhere; }
h3 { font-size: 1.05rem; margin: 2rem 0 .6rem; }
h4 { font-size: .95rem; margin: 1.4rem 0 .4rem; overflow-wrap: anywhere; }
p { margin: .3rem 0 .6rem; } .soft { color: var(--soft); } a { color: var(--seen); }
code, pre { font: 12.5px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
pre { overflow-x: auto; background: var(--track); padding: .8rem 1rem; border-radius: 6px; }
.scroll { overflow-x: auto; margin: .4rem 0 1rem; }
table { border-collapse: collapse; font-size: .92rem; }
th, td { padding: .3rem .8rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child { text-align: left; padding-left: 0; } thead th { color: var(--soft); font-weight: 500; }
tbody th { font-weight: 500; }
.words td, .words th { text-align: left; white-space: normal; vertical-align: top; }
.words tbody th { white-space: nowrap; }
.tiles { display: flex; flex-wrap: wrap; gap: .8rem; margin: 1rem 0; }
.tile { border: 1px solid var(--line); border-radius: 8px; padding: .6rem 1.1rem; min-width: 7.5rem; }
.tile b { display: block; font-size: 1.8rem; line-height: 1.2; font-weight: 600; }
.tile span { color: var(--soft); }
.bars { columns: 23rem; column-gap: 2.5rem; } .few { max-width: 42rem; }
.bar { display: grid; grid-template-columns: minmax(5rem, 11rem) 1fr 3.2rem; gap: .7rem; align-items: center;
  break-inside: avoid; font-size: .88rem; line-height: 1.65; --fill: var(--all); }
.bar.seen { --fill: var(--seen); } .bar.unseen { --fill: var(--unseen); }
.bar .name { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; } .bar .value { text-align: right; }
.track { height: .7rem; background: var(--track); border-radius: 3px; overflow: hidden; }
.track i { display: block; height: 100%; background: var(--fill); }
.stacked { display: flex; height: 1.1rem; border-radius: 4px; overflow: hidden; max-width: 42rem; }
.part0 { background: var(--a); } .part1 { background: var(--b); } .part2 { background: var(--c); }
.chips { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; font-size: .85rem; margin: .4rem 0; }
.chips b { display: inline-block; width: .85rem; height: .85rem; border-radius: 3px; margin-right: .4rem;
  vertical-align: -.08rem; border: 1px solid rgb(128 128 128 / .35); }
.chips b.seen { background: var(--seen); } .chips b.unseen { background: var(--unseen); }
.hatched, figure img { background: repeating-linear-gradient(45deg, var(--track) 0 5px, var(--page) 5px 10px); }
.row { display: grid; grid-template-columns: repeat(4, 1fr); gap: .6rem; }
figure { margin: 0; } figure img { display: block; width: 100%; border-radius: 4px; }
figcaption { color: var(--soft); font-size: .8rem; }
.shown { break-inside: avoid; margin-bottom: 1.6rem; }
details { margin: .5rem 0; } summary { cursor: pointer; color: var(--soft); }
details > :nth-child(2) { margin-top: .6rem; }
summary:hover { color: var(--ink); }
@media (max-width: 44rem) { body { padding: 1.2rem .9rem 3rem; } .row { grid-template-columns: 1fr 1fr; } }
@media print { body { max-width: none; padding: 0; font-size: 11px; } * { print-color-adjust: exact; }
  h2 { break-before: page; } }
"""
