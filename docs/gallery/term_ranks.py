"""
Few frequent terms, many rare ones
==================================

How many icons have each search term, from the most frequent term to the rarest one.
Both axes are logarithmic.
"""

from multimodal_ensemble.reporting import plot_rank_frequency
from shared import X_train, icons

figure = plot_rank_frequency(
    {
        "all icons": icons.table["terms"].explode().value_counts(),
        "training icons": X_train["terms"].explode().value_counts(),
    },
    label="search terms",
    unit="icons",
)

# %%
# The flat end is the terms of one icon only: no model can learn from them, and
# ``BagOfWordsEncoder("terms", min_count=2)`` leaves them out.
