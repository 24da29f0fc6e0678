"""Scoring the validation rows during training."""

from __future__ import annotations

import time
import warnings
from collections import deque
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.exceptions import UndefinedMetricWarning

from multimodal_ensemble._validation import check_at_least
from multimodal_ensemble.generators import MultimodalDataset
from multimodal_ensemble.metrics import mean_accuracy, mean_roc_auc, tune_thresholds
from multimodal_ensemble.training._changing_variables import changing_weights
from multimodal_ensemble.training._predict import all_inputs, score_inputs
from multimodal_ensemble.training._scoring_state import ScoringState


class ValidationScoring(keras.callbacks.Callback):
    """Score the validation rows every so many batches; keep the best weights; stop early.

    The score is the mean ROC-AUC over labels. The mean accuracy beside it is at thresholds that
    were tuned on the same rows, so it is a little too good; it serves to compare models.

    Parameters
    ----------
    validation : MultimodalDataset
        The validation rows, with labels, which give the same modalities as the training rows.
    evaluate_every : int, default=150
        Batches between two scorings. The end of training is scored, too.
    loss_window : int, default=200
        Over how many batches the training loss is averaged.
    patience : int, optional
        Stop after so many scorings in a row without a better one. Default: never.
    verbose : {0, 1}, default=0
        Whether each scoring is printed.

    Attributes
    ----------
    history : DataFrame
        One row a scoring: ``step`` (batches so far), ``epoch`` (from 1), ``seconds``, ``loss``,
        ``mean_roc_auc``, ``mean_accuracy``, ``best`` (whether it is the best so far).
    best_step : int or None
        When the best score was reached.
    best_roc_auc : float
        The best score; ``-inf`` before the first.

    Raises
    ------
    ValueError
        If the validation rows have no labels, or no label occurs both present and absent.

    See Also
    --------
    fit_model : Uses it.

    Examples
    --------
    >>> from multimodal_ensemble import (
    ...     DenseEncoder, MultimodalDataset, ValidationScoring, fuse_encoders)
    >>> data = {"x": [-1.0, 0.0, 1.0, 2.0]}
    >>> x = DenseEncoder("x").fit(data["x"])
    >>> dataset = MultimodalDataset(data, [x], [[0], [0], [1], [1]])
    >>> model = fuse_encoders([x], n_labels=1, seed=1)
    >>> model.compile("adam", "binary_crossentropy")
    >>> scoring = ValidationScoring(dataset, evaluate_every=5)
    >>> _ = model.fit(dataset, epochs=10, callbacks=[scoring], verbose=0)
    >>> scoring.history["step"].tolist()
    [5, 10]
    """

    def __init__(
        self,
        validation: MultimodalDataset,
        *,
        evaluate_every: int = 150,
        loss_window: int = 200,
        patience: int | None = None,
        verbose: int = 0,
    ) -> None:
        super().__init__()
        check_at_least(evaluate_every, 1, name="evaluate_every")
        check_at_least(loss_window, 1, name="loss_window")
        if patience is not None:
            check_at_least(patience, 1, name="patience")
        self.validation = validation
        self._y_true = required_labels(validation, "validation")
        self.evaluate_every = evaluate_every
        self.loss_window = loss_window
        self.patience = patience
        self.verbose = verbose
        self._two_classes = _two_class_labels(self._y_true, validation.labels)
        self._inputs: list[dict[str, NDArray[Any]]] | None = None
        self._state = self._begin()
        self._resumed: ScoringState | None = None

    @property
    def history(self) -> pd.DataFrame:
        """One row a scoring."""
        columns = ["step", "epoch", "seconds", "loss", "mean_roc_auc", "mean_accuracy", "best"]
        return pd.DataFrame(self._state.rows, columns=columns)

    @property
    def best_step(self) -> int | None:
        """When the best score was reached."""
        return self._state.best_step

    @property
    def best_roc_auc(self) -> float:
        """The best score."""
        return self._state.best_roc_auc

    def restore_best(self) -> None:
        """Give the model the weights of the best scoring; nothing before the first one."""
        if self._state.best_weights:
            weights = changing_weights(self.model)
            for weight, value in zip(weights, self._state.best_weights, strict=True):
                weight.assign(value)

    # -- what Keras calls --------------------------------------------------------------------

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Forget an earlier training, unless this one goes on with it, and start the clock."""
        self._state, self._resumed = self._resumed or self._begin(), None
        self._start = time.perf_counter() - self._state.seconds
        # Rows of vectors are few bytes and are scored many times; images are read each time.
        if all(len(tensor.shape) == 2 for tensor in self.model.inputs):
            self._inputs = list(all_inputs(self.validation))

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Start the sums of the loss anew, as Keras does."""
        self._state.epoch = epoch + 1
        self._seen_loss, self._seen_rows = 0.0, 0.0

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Note the batch's loss, and score the validation rows when it is time."""
        # Keras sums the loss over the rows of the epoch so far; a batch's own is what it added.
        tracker = next(metric for metric in self.model.metrics if metric.name == "loss")
        loss, rows = float(tracker.total), float(tracker.count)
        self._state.losses.append((loss - self._seen_loss, rows - self._seen_rows))
        self._seen_loss, self._seen_rows = loss, rows
        self._state.step += 1
        if self._state.step % self.evaluate_every == 0:
            self._score()

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Score the last state, too."""
        rows = self._state.rows
        if not rows or rows[-1]["step"] != self._state.step:
            self._score()

    # -- inside ------------------------------------------------------------------------------

    def _begin(self) -> ScoringState:
        """Return the state before anything was trained."""
        return ScoringState(losses=deque(maxlen=self.loss_window))

    def _note_state(self) -> ScoringState:
        """Return the state at this moment, with the time that it took."""
        self._state.seconds = time.perf_counter() - self._start
        return self._state

    def _continue_from(self, state: ScoringState) -> None:
        """Let the next training go on with another one."""
        self._state = self._resumed = state

    def _score(self) -> None:
        state = self._state
        inputs = all_inputs(self.validation) if self._inputs is None else self._inputs
        y_score = score_inputs(self.model, inputs)
        if not np.isfinite(y_score).all():
            msg = (
                f"Training diverged: after {state.step} batches the scores are not finite. "
                "Use a smaller learning rate, or scale the features."
            )
            raise FloatingPointError(msg)
        wanted = self._two_classes
        score = mean_roc_auc(self._y_true[:, wanted], y_score[:, wanted])
        thresholds = tune_thresholds(self._y_true, y_score)
        is_best = score > state.best_roc_auc
        state.rows.append(
            {
                "step": state.step,
                "epoch": state.epoch,
                "seconds": time.perf_counter() - self._start,
                "loss": self._window_loss(),
                "mean_roc_auc": score,
                "mean_accuracy": mean_accuracy(self._y_true, y_score, thresholds),
                "best": is_best,
            }
        )
        if self.verbose:
            print(_line(state.rows[-1]), flush=True)
        if is_best:
            state.best_roc_auc, state.best_step = score, state.step
            state.since_best = 0
            state.best_weights = [
                np.array(weight.numpy()) for weight in changing_weights(self.model)
            ]
        else:
            state.since_best += 1
            if self.patience is not None and state.since_best >= self.patience:
                self.model.stop_training = True

    def _window_loss(self) -> float:
        rows = sum(rows for _, rows in self._state.losses)
        return sum(loss for loss, _ in self._state.losses) / rows


def required_labels(dataset: MultimodalDataset, what: str) -> NDArray[np.bool_]:
    """Return a data set's labels, or raise a ValueError that says whose labels are missing."""
    if dataset.y is None:
        msg = f"The {what} rows have no labels; make their data set with y=..."
        raise ValueError(msg)
    return dataset.y


def _two_class_labels(y_true: NDArray[np.bool_], labels: Sequence[str]) -> NDArray[np.bool_]:
    positives = y_true.sum(axis=0)
    two_classes: NDArray[np.bool_] = (positives > 0) & (positives < len(y_true))
    if not two_classes.any():
        msg = (
            "No label is both present and absent in the validation rows, so none can be scored. "
            "Use more validation rows."
        )
        raise ValueError(msg)
    if not two_classes.all():
        names = [labels[int(column)] for column in np.flatnonzero(~two_classes)]
        warnings.warn(
            f"The labels {names} are of one class in the validation rows; the mean ROC-AUC "
            "during training leaves them out.",
            UndefinedMetricWarning,
            stacklevel=3,
        )
    return two_classes


def _line(row: dict[str, Any]) -> str:
    return (
        f"step {row['step']:6d}  epoch {row['epoch']:3d}  loss {row['loss']:.4f}  "
        f"validation: mean ROC-AUC {row['mean_roc_auc']:.4f}, mean accuracy "
        f"{row['mean_accuracy']:.4f}{'  best so far' if row['best'] else ''}"
    )
