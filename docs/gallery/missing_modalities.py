"""
Rows that lack a modality
=========================

What an ensemble of all modalities scores if a growing share of the 260 test icons has
no search terms, beside an ensemble that has nothing but terms.
"""

import numpy as np
from matplotlib.figure import Figure

from multimodal_ensemble import MultimodalEnsemble, mean_roc_auc
from shared import X_test, X_train, ensemble, terms, y_test, y_train

terms_only = MultimodalEnsemble([terms], random_state=0, verbose=0)
terms_only.fit(X_train, y_train)
shares = [0, 0.25, 0.5, 0.75, 1]
order = np.random.default_rng(0).permutation(len(X_test))
curves = {"all modalities": [], "terms only": []}
for share in shares:
    X = X_test.copy()
    X.iloc[order[: round(share * len(X))], X.columns.get_loc("terms")] = None
    curves["all modalities"].append(mean_roc_auc(y_test, ensemble.predict_proba(X)))
    curves["terms only"].append(mean_roc_auc(y_test, terms_only.predict_proba(X)))

figure = Figure(figsize=(6.4, 3.6), layout="constrained")
axis = figure.subplots()
for (label, values), style in zip(curves.items(), ["o-", "s--"]):
    axis.plot(shares, values, style, label=label)
axis.set_xlabel("share of test icons without terms")
axis.set_ylabel("mean ROC-AUC")
axis.grid(alpha=0.3)
axis.legend()

# %%
# Where terms are missing, the other modalities answer. Without them, all such rows have
# the same scores, and the curve falls to 0.5, which is chance.
