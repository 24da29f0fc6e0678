"""
How much each modality matters
==============================

What an ensemble loses on 260 test icons without each modality, and with nothing else.
"""

from multimodal_ensemble.estimators import modality_importance
from multimodal_ensemble.reporting import plot_intervals
from shared import X_test, ensemble, y_test

importance = modality_importance(ensemble, X_test, y_test, n_resamples=500)
means = importance[
    importance["label"].isna() & importance["case"].isin(["missing", "alone"])
]
means.index = [
    f"without {row.modality}" if row.case == "missing" else f"{row.modality} alone"
    for row in means.itertuples()
]
figure = plot_intervals(
    means.sort_values("case", ascending=False),
    label="difference in mean ROC-AUC to all modalities",
)

# %%
# Far left: the model depends on what it lost. A modality that is good alone and not
# missed says the same as another one. The network for pictures has random weights here.
