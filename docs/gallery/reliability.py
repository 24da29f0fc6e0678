"""
Reliability: do scores mean what they say?
==========================================

The scores of an ensemble for four categories, against how often the 260 test icons have
them.
"""

from multimodal_ensemble.metrics import reliability_curve
from multimodal_ensemble.reporting import plot_reliability
from shared import ensemble, scores, y_test

curve = reliability_curve(y_test, scores, n_bins=5, labels=list(ensemble.classes_))
shown = curve[curve["label"].isin(["Arrows", "Business", "Humanitarian", "Maps"])]
figure = plot_reliability(shown, unit="icons")

# %%
# Calibrated scores lie on the dashed line. A point below it is a group of icons whose
# scores are too high, if its interval does not reach the line.
