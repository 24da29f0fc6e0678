"""
Scores with standard deviations
===============================

Ensembles of terms, of names and of both, on both folds of the icons.
"""

from multimodal_ensemble.reporting import plot_comparison
from shared import comparison

table = comparison().table.pivot(index="model", columns="metric")
figure = plot_comparison(table["score"], spread=table["sd_rows"])

# %%
# A bar is the standard deviation of a score over resamples of the test icons. Bars that
# overlap do not mean that models are equal: the next picture shows the differences.
