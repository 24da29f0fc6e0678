"""The styles of the pages, in the colours of the reports."""

from multimodal_ensemble._html_base import BASE_STYLE

STYLE = (
    BASE_STYLE
    + """\
:root { --edge: #818b98; --bar: #0068b3; --for: #00785a; --against: #b34a00; --bad: #b3261e;
  --on: #fff; }
@media (prefers-color-scheme: dark) { :root { --edge: #7d8894; --bar: #6db5ec; --for: #45c9a1;
  --against: #f0935a; --bad: #ff9d94; --on: #16191d; } }
h1 { margin-top: 0; }
h2 { margin: 0 0 0.6rem; font-size: 1.3rem; }
h2.later { margin-top: 2rem; }
h3 { margin: 1.2rem 0 0.3rem; font-size: 1.05rem; overflow-wrap: anywhere; }
[hidden] { display: none !important; }
code, pre { font-size: 0.92rem; }
pre { padding: 0.8rem; border-radius: 6px; background: var(--band); }
.soft { color: var(--soft); font-size: 0.92rem; }
.both { display: grid; gap: 2rem; align-items: start; }
@media (min-width: 60rem) { .both { grid-template-columns: 26rem 1fr; } }
form { padding: 1rem; border: 1px solid var(--line); border-radius: 6px; }
.field { margin-bottom: 1rem; }
.field label { display: block; font-weight: 600; overflow-wrap: anywhere; }
.field small { display: block; color: var(--soft); font-size: 0.85rem; }
input, select, textarea { width: 100%; padding: 0.4rem; border: 1px solid var(--edge);
  border-radius: 4px; background: var(--page); color: var(--text); font: inherit; }
.drop { padding: 0.8rem; border: 2px dashed var(--edge); border-radius: 6px; }
.drop.over { border-color: var(--bar); background: var(--band); }
.drop input { padding: 0; border: 0; }
.shown { display: flex; flex-wrap: wrap; gap: 0.4rem; }
.shown img { display: block; max-width: 100%; max-height: 12rem; margin-top: 0.6rem;
  border-radius: 4px; }
.mapped { position: relative; width: fit-content; max-width: 100%; margin: 0 0 0.6rem; }
.mapped img { display: block; width: 16rem; max-width: 100%; filter: grayscale(1) opacity(0.6); }
.mapped .grid { position: absolute; inset: 0; display: grid; }
.mapped i { background: var(--for); } .mapped i.against { background: var(--against); }
.mapped i.most { outline: 2px solid var(--text); outline-offset: -2px; }
button { padding: 0.5rem 1.4rem; border: 0; border-radius: 4px; background: var(--bar);
  color: var(--on); font: inherit; font-weight: 600; cursor: pointer; }
button:disabled { opacity: 0.6; cursor: progress; }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
#status { min-height: 1.5rem; margin: 0 0 0.6rem; }
#status.bad { color: var(--bad); font-weight: 600; }
.found { display: flex; flex-wrap: wrap; gap: 0.4rem; margin: 0 0 1rem; padding: 0;
  list-style: none; }
.found li { padding: 0.1rem 0.7rem; border: 2px solid var(--bar); border-radius: 999px;
  font-weight: 600; overflow-wrap: anywhere; }
table { width: 100%; border-collapse: collapse; font-size: 0.92rem;
  font-variant-numeric: tabular-nums; }
caption { padding: 0.3rem 0; text-align: left; color: var(--soft); }
th, td { padding: 0.25rem 0.5rem; border-bottom: 1px solid var(--line); text-align: left;
  vertical-align: top; overflow-wrap: anywhere; }
thead th { background: var(--band); overflow-wrap: normal; }
tbody th { font-weight: 400; }
tbody .yes th, tbody .yes td { font-weight: 700; }
.n { text-align: right; white-space: nowrap; }
.wide { width: 38%; min-width: 5rem; }
.bar { position: relative; height: 1rem; margin-top: 0.25rem; border-radius: 2px;
  background: var(--line); }
.bar i { position: absolute; top: 0; bottom: 0; left: 0; border-radius: 2px;
  background: var(--bar); }
.bar b { position: absolute; top: -3px; bottom: -3px; width: 3px; margin-left: -1px;
  background: var(--text); }
.bar.odds i { background: var(--for); } .bar.odds i.against { background: var(--against); }
@media (max-width: 46rem) { table { font-size: 0.85rem; } th, td { padding: 0.2rem 0.25rem; }
  main { padding: 1rem 0.6rem 3rem; } }
"""
)
