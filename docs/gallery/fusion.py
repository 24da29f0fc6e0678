"""
Fusions compared
================

Three networks on 260 test icons: all of them read terms and names, and they join these
in different ways. The ensemble adds up one linear model for each.
"""

from multimodal_ensemble import MultimodalEnsemble
from multimodal_ensemble.metrics import compare_scores
from multimodal_ensemble.reporting import plot_intervals
from shared import X_test, X_train, name, networks, terms, y_test, y_train

ensemble = MultimodalEnsemble([terms, name], random_state=0, verbose=0)
ensemble.fit(X_train, y_train)
scores = {
    "concatenation": networks()["concat"].predict_proba(X_test),
    "gated units": networks()["gated"].predict_proba(X_test),
    "attention": networks()["attention"].predict_proba(X_test),
    "ensemble": ensemble.predict_proba(X_test),
}
comparison = compare_scores(y_test, scores, n_resamples=500)
print(comparison)

# %%
# The differences have intervals from 500 resamples of the test icons. A hollow dot is
# not resolved: its interval contains 0, so these icons do not show which fusion is
# better.

figure = plot_intervals(
    comparison.table.set_index("model")[1:],
    label="difference in mean ROC-AUC to concatenation",
)
