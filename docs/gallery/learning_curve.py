"""
Learning curve
==============

The score of an ensemble of search terms on 260 test icons, after training on more and
more icons.
"""

import numpy as np
from matplotlib.figure import Figure

from multimodal_ensemble import MultimodalEnsemble
from multimodal_ensemble.metrics import bootstrap_interval
from shared import X_test, X_train, terms, y_test, y_train

order = np.random.default_rng(0).permutation(len(X_train))
sizes = [75, 150, 300, len(X_train)]
found = []
for size in sizes:
    ensemble = MultimodalEnsemble([terms], random_state=0, verbose=0)
    ensemble.fit(X_train.iloc[order[:size]], y_train.iloc[order[:size]])
    scores = ensemble.predict_proba(X_test)
    found.append(bootstrap_interval(y_test, scores, n_resamples=300))

figure = Figure(figsize=(6.4, 3.6), layout="constrained")
axis = figure.subplots()
axis.plot(sizes, [each.score for each in found], "o-")
low, high = [each.low for each in found], [each.high for each in found]
axis.fill_between(sizes, low, high, alpha=0.2)
axis.set_xlabel("training icons")
axis.set_ylabel("mean ROC-AUC")
axis.grid(alpha=0.3)

# %%
# The band is a 95 % interval over test icons. A curve that still rises at its end says
# that more rows would help.
