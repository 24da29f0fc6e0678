"""
Training curves
===============

Three networks that join search terms and names in different ways, while they train on
546 icons and are evaluated on 61 others.
"""

from multimodal_ensemble.reporting import plot_histories
from shared import networks

figure = plot_histories(
    {name: network.history_ for name, network in networks().items()}
)

# %%
# The marker is the evaluation whose weights are kept. At the end of a curve, it says
# that more epochs may help. Where the loss still falls and the validation scores do not
# rise, more epochs only fit the training icons better.
