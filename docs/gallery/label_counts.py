"""
How often each label occurs
===========================

Eleven categories of 867 icons. The share behind each count is what a model that always
says no gets wrong.
"""

from multimodal_ensemble.reporting import plot_label_counts
from shared import icons

counts = icons.categories.sum().sort_values(ascending=False)
figure = plot_label_counts(
    counts, shares=counts / len(icons.table), kept=counts >= 70, unit="icons"
)

# %%
# Hatched bars are the labels that a limit of 70 icons would leave out. Rare labels need
# many rows: with few positive test rows, their scores have wide intervals.
