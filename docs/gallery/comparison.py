"""
Comparison with intervals
=========================

Ensembles of terms, of names and of both, trained on one half of the icons and scored on
the other, and the other way round.
"""

from shared import comparison

result = comparison()
figure = result.plot()

# %%
# Filled dots are differences whose 95 % interval excludes 0. All models are scored on
# the same resamples of the icons, so that icons that are hard for all of them do not
# widen the interval.
#
# This is the call behind it:
#
# .. literalinclude:: /gallery/shared.py
#    :pyobject: comparison
