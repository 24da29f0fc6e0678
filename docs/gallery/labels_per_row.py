"""
Number of labels per row
========================

How many of the eleven categories each of the 867 icons has.
"""

from multimodal_ensemble.reporting import plot_distribution
from shared import icons

per_icon = icons.categories.sum(axis=1)
figure = plot_distribution(
    per_icon.value_counts().sort_index(), label="categories of an icon", unit="icons"
)

# %%
# With mostly one label per row, a model of classes would nearly do. The bars beyond 1
# are the rows that need a multilabel model.
