"""
Rows with true and predicted labels
===================================

Eight of the 260 test icons, drawn at random, with the predictions of an ensemble.
"""

import io

import numpy as np
from PIL import Image

from multimodal_ensemble.reporting import plot_predictions
from shared import X_test, ensemble, y_test

rows = X_test.sample(8, random_state=1)
labels = y_test.loc[rows.index]
true = [list(labels.columns[has == 1]) for has in labels.to_numpy()]
figure = plot_predictions(
    [np.asarray(Image.open(io.BytesIO(png)).convert("RGB")) for png in rows["picture"]],
    list(rows["name"]),
    true,
    [list(labels) for labels in ensemble.predict_labels(rows)],
)

# %%
# A plus marks a label that was predicted and is wrong, a minus one that was missed.
