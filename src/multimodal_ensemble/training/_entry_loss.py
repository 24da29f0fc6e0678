"""The loss of each label, for weights of rows that differ between labels."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np


class EntryLoss(keras.losses.Loss):
    """A loss of shape ``(n, n_labels)``, from one that is a mean over the labels of each row.

    It is used during training only, so that no model is saved with it.

    Parameters
    ----------
    loss : str, callable or keras.losses.Loss
        A loss as `keras.Model.compile` takes it.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.training._entry_loss import EntryLoss
    >>> loss = EntryLoss("binary_crossentropy")
    >>> y, p = np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]])
    >>> loss.call(y, p).numpy().round(3).tolist()
    [[0.693, 0.693]]
    """

    def __init__(self, loss: Any) -> None:
        super().__init__(name="entry_loss")
        self.loss: Any = loss.loss if isinstance(loss, EntryLoss) else loss

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each label of each row."""
        loss = keras.losses.get(self.loss)
        if hasattr(loss, "entries"):
            return loss.entries(y_true, y_pred)
        # The mean over a single label is its loss.
        expand = keras.ops.expand_dims
        return _function_of(loss)(expand(y_true, -1), expand(y_pred, -1))


def is_mean_over_labels(loss: Any) -> bool:
    """Return whether a loss is a mean over the labels of each row, in rows drawn at random."""
    whole = keras.losses.get(loss)
    if hasattr(whole, "entries"):
        return True
    rng = np.random.default_rng(0)
    y_true = keras.ops.convert_to_tensor((rng.random((8, 3)) < 0.5).astype("float32"))
    y_pred = keras.ops.convert_to_tensor(rng.uniform(0.1, 0.9, (8, 3)).astype("float32"))
    each = keras.ops.convert_to_numpy(EntryLoss(loss).call(y_true, y_pred))
    expected = keras.ops.convert_to_numpy(_function_of(whole)(y_true, y_pred))
    return each.shape == (8, 3) and np.allclose(each.mean(axis=1), expected, rtol=1e-3)


def _function_of(loss: Any) -> Any:
    return loss.call if isinstance(loss, keras.losses.Loss) else loss
