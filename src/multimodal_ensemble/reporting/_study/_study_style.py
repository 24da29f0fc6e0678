"""The styles of a report of a study, after those that all reports share."""

# The colours of families are distinct for all types of colour vision (after Okabe and Ito, "Color
# Universal Design", 2008), and have a contrast of at least 3 to 1 with the page.
STUDY_STYLE = """
:root { --heat: 84 150 216; --f0: #0068b3; --f1: #b34a00; --f2: #00785a; --f3: #93328e;
  --f4: #7d6400; --f5: #5c6670; --good: #00785a; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --heat: 36 92 150; --f0: #6db5ec; --f1: #f0935a;
  --f2: #45c9a1; --f3: #dc94d6; --f4: #d6bd4c; --f5: #b3bcc6; --good: #45c9a1; --bad: #ff9d94; } }
h3 { margin: 1.8rem 0 0.4rem; font-size: 1.08rem; }
[hidden] { display: none !important; }
.answer { margin: 1rem 0; padding: 0.9rem 1.1rem; border-left: 5px solid var(--f0);
  background: var(--band); }
.answer p, .answer ul { max-width: none; margin: 0; }
.answer .first { font-size: 1.25rem; line-height: 1.4; }
.answer b, .answer span { white-space: nowrap; }
.answer ul { margin-top: 0.6rem; padding-left: 1.2rem; }
.note { padding: 0.5rem 0.8rem; border: 1px solid var(--bad); border-radius: 6px; }
.soft, .soft span { color: var(--soft); font-size: 0.92rem; }
caption { padding: 0.3rem 0; text-align: left; color: var(--soft); }
table { margin: 0.8rem 0; }
tbody th .key { margin-right: 0.3rem; }
th button { padding: 0; border: 0; background: none; color: var(--link); font: inherit;
  text-align: inherit; cursor: pointer; }
th button::after { content: " \\2195"; }
th[aria-sort=ascending] button::after { content: " \\2191"; }
th[aria-sort=descending] button::after { content: " \\2193"; }
svg { overflow: visible; }
svg text { fill: var(--soft); font-size: 12px; text-anchor: middle; }
.f0 { --c: var(--f0); } .f1 { --c: var(--f1); } .f2 { --c: var(--f2); }
.f3 { --c: var(--f3); } .f4 { --c: var(--f4); } .f5 { --c: var(--f5); }
.m { fill: var(--c); stroke: var(--c); stroke-width: 2; }
.m.hollow { fill: var(--page); }
.legend { display: flex; flex-wrap: wrap; gap: 0.2rem 1.2rem; margin: 0.4rem 0; padding: 0;
  list-style: none; font-size: 0.92rem; }
.key { vertical-align: -2px; }
.dots { margin: 0.3rem 0 1.2rem; padding: 0; list-style: none;
  font-size: 0.92rem; }
.dots li { display: grid; grid-template-columns: 1fr auto; column-gap: 0.8rem;
  align-items: center; }
.dots .name { overflow-wrap: anywhere; }
.dots .value { font-variant-numeric: tabular-nums; }
.dots .track { position: relative; align-self: stretch; grid-column: 1 / 3; grid-row: 2;
  min-height: 1.4rem; margin: 0 1.2rem; }
.track > svg { position: absolute; width: 100%; height: 100%; }
.grid { stroke: var(--line); }
.zero { stroke: var(--text); stroke-width: 1.5; }
.interval { stroke: var(--text); stroke-width: 2; }
.arrow { fill: none; stroke: var(--text); stroke-width: 2; }
@media (min-width: 64rem) { td.n { white-space: nowrap; } }
@media (min-width: 46rem) {
  .pictures { float: left; margin: 0 0.8rem 0.5rem 0; }
  .pictures ~ p { display: flow-root; }
  .dots li { grid-template-columns: minmax(10rem, 27%) 1fr 12.5rem; }
  .dots .track { grid-column: 2; grid-row: 1; min-height: 1.9rem; }
  .dots li:not(.axis):hover { background: var(--band); } }
.charts { display: grid; gap: 0.6rem 1.4rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 17rem), 1fr)); max-width: 72rem; }
.chart { margin: 0.6rem 0; max-width: 34rem; }
.chart figcaption { margin: 0 0 0.6rem; color: var(--text); font-weight: 600; }
.chart figcaption span { color: var(--soft); font-weight: 400; }
.chart figcaption span::before { content: " \\00b7\\20"; }
.chart > svg { display: block; width: calc(100% - 4.2rem); height: 13rem;
  margin: 0 1.4rem 1.5rem 2.8rem; }
.chart .x { margin-top: -0.2rem; text-align: center; color: var(--soft); font-size: 0.8rem; }
svg text.y { text-anchor: end; }
svg text.on, svg text.letter { fill: var(--text); font-weight: 600; paint-order: stroke;
  stroke: var(--page); stroke-width: 3px; stroke-linejoin: round; }
svg text.letter { text-anchor: start; }
.leader { stroke: var(--soft); }
.l { fill: none; stroke: var(--c); stroke-width: 2; vector-effect: non-scaling-stroke; }
.d1 { stroke-dasharray: 7 4; } .d2 { stroke-dasharray: 2 3; } .d3 { stroke-dasharray: 9 3 2 3; }
.d4 { stroke-dasharray: 14 4; } .d5 { stroke-dasharray: 5 2 1 2 1 2; }
.reference { stroke: var(--soft); stroke-width: 1.2; stroke-dasharray: 4 4; }
.matrix td, .matrix thead th { padding: 0.25rem 0.5rem; text-align: right; }
.matrix thead th:first-child { text-align: left; }
.sideways { margin: 0; color: var(--soft); font-size: 0.85rem; }
.matrix tbody th { min-width: 7rem; font-weight: 400; }
.filters { display: flex; flex-wrap: wrap; gap: 0.5rem 1rem; margin: 0.8rem 0; }
.filters label { display: grid; font-size: 0.85rem; color: var(--soft); }
select { max-width: 100%; padding: 0.3rem; font: inherit; font-size: 0.95rem; }
.gallery { display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 27rem), 1fr)); }
.gallery article { padding: 0.8rem; border: 1px solid var(--line); border-radius: 6px;
  font-size: 0.86rem; break-inside: avoid; min-width: 0; }
.gallery h3 { margin: 0 0 0.4rem; font-size: 1rem; }
.gallery p { margin: 0.3rem 0; }
.gallery table { width: 100%; margin: 0.4rem 0 0; font-size: 0.82rem; }
.gallery th, .gallery td { padding: 0.1rem 0.35rem; }
.gallery tbody th { min-width: 5.5rem; font-weight: 400; }
.gallery thead th:nth-child(n + 4) { overflow-wrap: anywhere; }
.gallery .miss th, .gallery .miss td { color: var(--bad); font-weight: 600; }
.gallery .hit th, .gallery .hit td { color: var(--good); font-weight: 600; }
.explained { max-width: 46rem; padding-left: 1.2rem; }
.why { margin: 0.3rem 0; padding-left: 1.1rem; }
.pictures { display: flex; gap: 0.5rem; }
.why, .gallery table { clear: both; }
.token { display: inline-block; margin: 0 0.2rem 0.15rem 0; padding: 0 0.3rem; border-radius: 4px;
  border: 1px solid var(--line); }
.token small { font-size: 0.86em; }
.bar { width: 4.5rem; height: 0.8rem; vertical-align: -1px; margin-left: 0.3rem; }
.bar rect { fill: var(--f0); } .bar .all { fill: var(--line); }
.bar line { stroke: var(--text); stroke-width: 2; }
summary { font-weight: 600; cursor: pointer; }
dl { display: grid; grid-template-columns: minmax(6rem, max-content) 1fr; gap: 0.3rem 1rem; }
dt { font-weight: 600; }
dd { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 46rem) {
  .dots li { padding-top: 0.3rem; border-top: 1px solid var(--line); }
  tbody th { min-width: 5.2rem; }
  .matrix { font-size: 0.72rem; }
  .matrix td, .matrix thead th, .matrix tbody th { padding: 0.2rem 0.1rem; }
  .matrix td { letter-spacing: -0.04em; } .matrix td b { letter-spacing: -0.07em; }
  .matrix tbody th { min-width: 4.2rem; max-width: 5.5rem; }
  main { padding: 1rem 0.6rem 3rem; }
  .bar { width: 3rem; margin: 0; }
  .gallery tbody th { min-width: 4.4rem; }
  .gallery thead th:nth-child(n + 3) { writing-mode: vertical-rl; }
  .matrix thead th:not(:first-child) { writing-mode: vertical-rl; text-align: left; }
  dl { grid-template-columns: 1fr; } dd { margin-bottom: 0.4rem; } }
@media print { :root { color-scheme: light; } td, .bar { print-color-adjust: exact; }
  .filters, nav { display: none; } .chart { break-inside: avoid; } }
"""
