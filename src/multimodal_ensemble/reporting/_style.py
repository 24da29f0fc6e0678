"""The style sheet that all HTML reports share."""

STYLE = """
:root { color-scheme: light dark; --page: #fff; --text: #1f2328; --soft: #59636e;
  --line: #d1d9e0; --band: #f4f6f8; --link: #0b57a8; }
@media (prefers-color-scheme: dark) { :root { --page: #16191d; --text: #e3e7eb; --soft: #9aa5b1;
  --line: #3a424b; --band: #20252b; --link: #8ab8f0; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text);
  font: 1rem/1.55 system-ui, sans-serif; }
main { max-width: 74rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.8rem; line-height: 1.25; overflow-wrap: anywhere; }
h2 { margin: 2.8rem 0 0.6rem; padding-top: 0.8rem; border-top: 1px solid var(--line);
  font-size: 1.3rem; }
p { max-width: 46rem; }
a { color: var(--link); }
nav { padding: 0.2rem 1rem; border-radius: 6px; background: var(--band); }
nav ol { columns: 20rem; padding-left: 1.6rem; }
figure { margin: 1.2rem 0; }
img { display: block; height: auto; padding: 8px; border-radius: 6px;
  border: 1px solid var(--line); background: #fff; }
figcaption { margin: 0.4rem 0; max-width: 50rem; color: var(--soft); font-size: 0.92rem; }
.scroll { max-width: 100%; overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.92rem; font-variant-numeric: tabular-nums; }
th, td { padding: 0.25rem 0.7rem; border-bottom: 1px solid var(--line); text-align: left;
  vertical-align: top; overflow-wrap: break-word; }
thead th { background: var(--band); }
tbody th { font-weight: 600; }
.n { text-align: right; }
@media (max-width: 46rem) { table { font-size: 0.8rem; } th, td { padding: 0.2rem 0.25rem; } }
@media print { .scroll { overflow: visible; } img { max-width: 100%; } }
"""
