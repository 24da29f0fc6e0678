"""The style sheet that all HTML reports share."""

from multimodal_ensemble._html_base import BASE_STYLE

STYLE = (
    BASE_STYLE
    + """\
h2 { margin: 2.8rem 0 0.6rem; padding-top: 0.8rem; border-top: 1px solid var(--line);
  font-size: 1.3rem; }
nav { padding: 0.2rem 1rem; border-radius: 6px; background: var(--band); }
nav ol { columns: 20rem; padding-left: 1.6rem; }
figure { margin: 1.2rem 0; }
img { display: block; height: auto; padding: 8px; border-radius: 6px;
  border: 1px solid var(--line); background: #fff; }
figcaption { margin: 0.4rem 0; max-width: 50rem; color: var(--soft); font-size: 0.92rem; }
table { border-collapse: collapse; font-size: 0.92rem; font-variant-numeric: tabular-nums; }
th, td { padding: 0.25rem 0.7rem; border-bottom: 1px solid var(--line); text-align: left;
  vertical-align: top; overflow-wrap: break-word; }
thead th { background: var(--band); }
tbody th { font-weight: 600; }
.n { text-align: right; }
@media (max-width: 46rem) { table { font-size: 0.8rem; } th, td { padding: 0.2rem 0.25rem; } }
@media print { .scroll { overflow: visible; } img { max-width: 100%; } }
"""
)
