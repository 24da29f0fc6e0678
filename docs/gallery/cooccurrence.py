"""
Which labels occur together
===========================

Of the icons with the category of a row, the share that also has the category of a
column.
"""

from multimodal_ensemble.reporting import plot_label_cooccurrence
from shared import icons

figure = plot_label_cooccurrence(icons.categories, unit="icons")

# %%
# Read along a row. The table is not symmetric: a small category may lie within a large
# one. ``normalize="lift"`` compares with what independent labels would give.
