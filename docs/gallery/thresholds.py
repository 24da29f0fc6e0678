"""
What each threshold gives
=========================

Precision, recall and F1 of an ensemble on 260 test icons, if scores from the threshold
on were predicted.
"""

from multimodal_ensemble.reporting import plot_thresholds
from shared import ensemble, scores, y_test

figure = plot_thresholds(y_test.iloc[:, :6], scores[:, :6], ensemble.thresholds_[:6])

# %%
# The grey line is the threshold that was learned from the training icons. Where F1 is
# flat, as for arrows, many thresholds are equally good. Where it has a peak, as for
# maps, the choice matters.
