"""Evaluation of the validation rows during training."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.exceptions import UndefinedMetricWarning

from multimodal_ensemble._validation import check_at_least
from multimodal_ensemble._warnings import warn
from multimodal_ensemble.generators import MultimodalDataset
from multimodal_ensemble.metrics import mean_accuracy, mean_roc_auc, tune_thresholds
from multimodal_ensemble.training._check_datasets import required_labels
from multimodal_ensemble.training._predict_scores import all_inputs, kept_inputs, score_inputs
from multimodal_ensemble.training._training_state import (
    HISTORY_COLUMNS,
    EvaluationState,
    assign,
    trained_weights,
    values_of,
)


class ValidationEvaluation(keras.callbacks.Callback):
    """Keras callback that evaluates the validation rows, keeps the best weights and stops early.

    The best evaluation is the one with the highest mean ROC-AUC over labels and, among equal ones,
    the one with the lowest validation loss. Training stops when `patience` evaluations in a row
    were not better, but not before the validation loss was once below that of constant scores:
    until then the model has learned nothing. The mean accuracy in the history uses thresholds that
    are tuned on the same rows. It is slightly optimistic, and serves to compare models.

    Parameters
    ----------
    validation : MultimodalDataset
        The validation rows, with labels and with the same modalities as the training rows.
    evaluate_every : int, default=150
        Number of batches between two evaluations. The end of training is also evaluated.
    loss_window : int, default=200
        Number of batches over which the training loss is averaged.
    patience : int, optional
        Number of evaluations in a row without an improvement after which training stops. Default:
        training never stops early.
    verbose : {0, 1}, default=0
        Whether each evaluation prints a line.

    Attributes
    ----------
    history : DataFrame
        One row per evaluation: ``step`` (batches so far), ``epoch`` (from 1), ``seconds``,
        ``loss`` (of the training rows), ``validation_loss``, ``mean_roc_auc``, ``mean_accuracy``,
        ``best`` (whether it is the best so far).
    best_step : int or None
        Number of batches before the best evaluation; None before the first one.
    best_roc_auc : float
        Mean ROC-AUC of the best evaluation; ``-inf`` before the first one.

    Raises
    ------
    ValueError
        If the validation rows have no labels, or no label is both present and absent in them.

    See Also
    --------
    fit_model : Uses this callback.

    Examples
    --------
    >>> from multimodal_ensemble import DenseEncoder, MultimodalDataset, fuse_encoders
    >>> from multimodal_ensemble.training import ValidationEvaluation
    >>> data = {"x": [-1.0, 0.0, 1.0, 2.0]}
    >>> x = DenseEncoder("x").fit(data["x"])
    >>> dataset = MultimodalDataset(data, [x], [[0], [0], [1], [1]])
    >>> model = fuse_encoders([x], n_labels=1, seed=1)
    >>> model.compile("adam", "binary_crossentropy")
    >>> evaluation = ValidationEvaluation(dataset, evaluate_every=5)
    >>> _ = model.fit(dataset, epochs=10, callbacks=[evaluation], verbose=0)
    >>> evaluation.history["step"].tolist()
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
        self.evaluate_every = evaluate_every
        self.loss_window = loss_window
        self.patience = patience
        self.verbose = verbose
        self._y_true = required_labels(validation, "validation")
        self._has_both_classes = _find_two_class_labels(self._y_true, validation.labels)
        self._inputs: list[dict[str, NDArray[Any]]] | None = None
        self.state = self._new_state()
        self._resumed: EvaluationState | None = None

    @property
    def history(self) -> pd.DataFrame:
        """One row per evaluation."""
        return pd.DataFrame(self.state.history, columns=list(HISTORY_COLUMNS))

    @property
    def best_step(self) -> int | None:
        """Number of batches before the best evaluation."""
        return None if self.state.best is None else self.state.best["step"]

    @property
    def best_roc_auc(self) -> float:
        """Mean ROC-AUC of the best evaluation."""
        return -np.inf if self.state.best is None else self.state.best["mean_roc_auc"]

    def restore_best(self) -> None:
        """Give the model the weights of the best evaluation; do nothing before the first one."""
        if self.state.best is not None:
            assign(trained_weights(self.model), self.state.best_weights)

    # -- called by Keras ---------------------------------------------------------------------

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Start with an empty history, or with the one to resume, and start the clock."""
        self.state, self._resumed = self._resumed or self._new_state(), None
        self._start = time.perf_counter() - self.state.seconds
        self._inputs = kept_inputs(self.validation)
        self._loss_to_beat = self._constant_loss()

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Record the number of the epoch."""
        self.state.epoch = epoch + 1

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Record the sums of the loss, which Keras may continue through an epoch."""
        self._sums_before = self._loss_sums()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Record the loss of the batch, and evaluate if it is time."""
        (loss, weight), (loss_before, weight_before) = self._loss_sums(), self._sums_before
        self.state.losses.append((loss - loss_before, weight - weight_before))
        self.state.step += 1
        if self.state.step % self.evaluate_every == 0:
            self._evaluate()

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Evaluate the final weights."""
        history = self.state.history
        if not history or history[-1]["step"] != self.state.step:
            self._evaluate()

    # -- called by the checkpoint callback ---------------------------------------------------

    def current_state(self) -> EvaluationState:
        """Return the current state, with the duration of the training so far."""
        self.state.seconds = time.perf_counter() - self._start
        return self.state

    def resume_from(self, state: EvaluationState) -> None:
        """Make the next training continue from a state."""
        self.state = self._resumed = state

    # -- internal ----------------------------------------------------------------------------

    def _new_state(self) -> EvaluationState:
        return EvaluationState(losses=deque(maxlen=self.loss_window))

    def _loss_sums(self) -> tuple[float, float]:
        """Return the sum of the rows' losses, and the sum of their weights."""
        tracker = next(metric for metric in self.model.metrics if metric.name == "loss")
        return float(tracker.total), float(tracker.count)

    def _loss(self, y_score: NDArray[np.float32]) -> float:
        loss = keras.losses.get(self.model.loss)(self._y_true.astype(y_score.dtype), y_score)
        return float(keras.ops.mean(loss))

    def _constant_loss(self) -> float:
        """Return the validation loss of the best constant scores: the frequency of each label."""
        frequency = self._y_true.mean(axis=0, dtype=np.float32)
        positive = np.asarray(getattr(self.model.loss, "positive_weight", 1), np.float32)
        negative = np.asarray(getattr(self.model.loss, "negative_weight", 1), np.float32)
        total = positive * frequency + negative * (1 - frequency)
        scores = np.where(total > 0, positive * frequency / np.where(total > 0, total, 1), 0.5)
        return self._loss(np.broadcast_to(scores.astype(np.float32), self._y_true.shape))

    def _evaluate(self) -> None:
        state = self.state
        inputs = all_inputs(self.validation) if self._inputs is None else self._inputs
        y_score = score_inputs(self.model, inputs)
        if not np.isfinite(y_score).all():
            msg = (
                f"Training diverged: after {state.step} batches the scores are not finite. "
                "Use a smaller learning rate, or scale the features."
            )
            raise FloatingPointError(msg)
        columns = self._has_both_classes
        roc_auc = mean_roc_auc(self._y_true[:, columns], y_score[:, columns])
        thresholds = tune_thresholds(self._y_true, y_score)
        validation_loss = self._loss(y_score)
        best = state.best
        is_best = best is None or (roc_auc, -validation_loss) > (
            best["mean_roc_auc"],
            -best["validation_loss"],
        )
        state.history.append(
            {
                "step": state.step,
                "epoch": state.epoch,
                "seconds": time.perf_counter() - self._start,
                "loss": state.window_loss,
                "validation_loss": validation_loss,
                "mean_roc_auc": float(roc_auc),
                "mean_accuracy": float(mean_accuracy(self._y_true, y_score, thresholds)),
                "best": is_best,
            }
        )
        if self.verbose:
            print(_format_line(state.history[-1]), flush=True)
        if is_best:
            state.best_weights = values_of(trained_weights(self.model))
        if should_stop(state.history, self.patience, constant_loss=self._loss_to_beat):
            self.model.stop_training = True


def should_stop(
    history: Sequence[Mapping[str, Any]], patience: int | None, *, constant_loss: float
) -> bool:
    """Return whether training stops after the last evaluation of a history.

    Patience starts once the loss is below `constant_loss`, that of a model which learned nothing.
    """
    learned = [entry["validation_loss"] < constant_loss for entry in history]
    if patience is None or True not in learned:
        return False
    n_waited = len(history) - 1 - learned.index(True)
    return n_waited >= patience and not any(entry["best"] for entry in history[-patience:])


def _find_two_class_labels(y_true: NDArray[np.bool_], labels: Sequence[str]) -> NDArray[np.bool_]:
    positives = y_true.sum(axis=0)
    has_both: NDArray[np.bool_] = (positives > 0) & (positives < len(y_true))
    if not has_both.any():
        msg = (
            "No label is both present and absent in the validation rows, so the ROC-AUC is "
            "undefined for all. Use more validation rows."
        )
        raise ValueError(msg)
    if not has_both.all():
        names = [labels[int(column)] for column in np.flatnonzero(~has_both)]
        warn(
            f"The labels {names} have only one class in the validation rows; the mean ROC-AUC "
            "during training leaves them out.",
            UndefinedMetricWarning,
        )
    return has_both


def _format_line(entry: Mapping[str, Any]) -> str:
    return (
        f"step {entry['step']:6d}  epoch {entry['epoch']:3d}  loss {entry['loss']:.4f}  "
        f"validation: mean ROC-AUC {entry['mean_roc_auc']:.4f}, mean accuracy "
        f"{entry['mean_accuracy']:.4f}{'  best so far' if entry['best'] else ''}"
    )
