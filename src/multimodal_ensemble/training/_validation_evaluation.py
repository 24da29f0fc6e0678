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

from multimodal_ensemble._graphs import find_loss_tracker
from multimodal_ensemble._known_labels import label_shares
from multimodal_ensemble._text import metric_title
from multimodal_ensemble._validation import check_at_least
from multimodal_ensemble._warnings import warn
from multimodal_ensemble.generators import MultimodalDataset
from multimodal_ensemble.metrics import mean_accuracy, mean_roc_auc, tune_thresholds
from multimodal_ensemble.training._check_datasets import required_labels
from multimodal_ensemble.training._entry_loss import EntryLoss
from multimodal_ensemble.training._monitor import (
    MonitorFunction,
    check_monitor,
    compute_monitor,
    monitor_column,
    rank,
)
from multimodal_ensemble.training._predict_scores import make_validation_scorer
from multimodal_ensemble.training._training_state import (
    HISTORY_COLUMNS,
    EvaluationState,
    assign,
    trained_weights,
    values_of,
)


class ValidationEvaluation(keras.callbacks.Callback):
    """Keras callback that evaluates the validation rows, keeps the best weights and stops early.

    The best evaluation is the one with the best value of `monitor`, by default the highest mean
    ROC-AUC over labels, and among equal ones the one with the lowest validation loss. Training
    stops when `patience` evaluations in a row were not better, but not before the validation loss
    was once below that of constant scores: until then the model has learned nothing. The mean
    accuracy and F1 in the history use thresholds that are tuned on the same rows. They are slightly
    optimistic, and serve to compare models.

    Callbacks after this one find the validation values at the end of each epoch in their `logs`, as
    ``val_loss``, ``val_mean_roc_auc``, ``val_mean_accuracy`` and, where the history has another
    column, ``val_f1``, ``val_mean_average_precision`` or ``val_monitor``. These values change
    neither the history nor the best weights.

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
    monitor : str or callable, default="mean_roc_auc"
        What chooses the best weights: ``"mean_roc_auc"``, ``"loss"`` (of the validation rows, lower
        is better), ``"mean_average_precision"``, ``"f1"`` (the mean over labels of the highest F1
        that a threshold reaches), or a callable that takes `y_true` (0 or 1) and `y_score`, both of
        shape (n_samples, n_labels), and returns a number, greater for better scores. NaN is the
        worst. The named ones leave out labels of one class.
    epoch_logs : bool, default=True
        Whether each epoch ends with validation values in the `logs` of further callbacks, which
        requires one evaluation per epoch.
    verbose : {0, 1}, default=0
        Whether each evaluation prints a line.

    Attributes
    ----------
    history : DataFrame
        One row per evaluation: ``step`` (batches so far), ``epoch`` (from 1), ``seconds``,
        ``loss`` (of the training rows), ``validation_loss``, ``mean_roc_auc``, ``mean_accuracy``,
        the monitored value if it is none of these (``mean_average_precision``, ``f1``, or
        ``monitor`` of a callable), ``best`` (whether it is the best so far).
    columns : dict of str to type
        The columns of the history with the type of their values.
    best_step : int or None
        Number of batches before the best evaluation; None before the first one.
    best_roc_auc : float
        Mean ROC-AUC of the best evaluation; ``-inf`` before the first one.

    Raises
    ------
    ValueError
        If the validation rows have no labels, or no label is both present and absent in them, or
        if `monitor` is unknown or a callable with other arguments.

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
    >>> evaluation = ValidationEvaluation(dataset, evaluate_every=2)
    >>> _ = model.fit(dataset, epochs=4, callbacks=[evaluation], verbose=0)
    >>> evaluation.history["step"].tolist()
    [2, 4]
    """

    def __init__(
        self,
        validation: MultimodalDataset,
        *,
        evaluate_every: int = 150,
        loss_window: int = 200,
        patience: int | None = None,
        monitor: str | MonitorFunction = "mean_roc_auc",
        epoch_logs: bool = True,
        verbose: int = 0,
    ) -> None:
        super().__init__()
        check_at_least(evaluate_every, 1, name="evaluate_every")
        check_at_least(loss_window, 1, name="loss_window")
        if patience is not None:
            check_at_least(patience, 1, name="patience")
        check_monitor(monitor)
        self.validation = validation
        self.evaluate_every = evaluate_every
        self.loss_window = loss_window
        self.patience = patience
        self.monitor = monitor
        self.epoch_logs = epoch_logs
        self.verbose = verbose
        # A known column keeps its place, and a new one comes before the last.
        self.columns = {**HISTORY_COLUMNS, monitor_column(monitor): float, "best": bool}
        self.columns["best"] = self.columns.pop("best")
        required_labels(validation, "validation")
        self._y_true = np.asarray(validation.truth)
        self._has_both_classes = _find_two_class_labels(self._y_true, validation.labels)
        self.state = self._new_state()
        self._resumed: EvaluationState | None = None

    @property
    def history(self) -> pd.DataFrame:
        """One row per evaluation."""
        return pd.DataFrame(self.state.history, columns=list(self.columns))

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
        self._tracker = find_loss_tracker(self.model)
        self._score_validation = make_validation_scorer(self.model, self.validation)
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

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Add the validation values to the logs, which Keras passes to all callbacks."""
        if logs is not None and self.epoch_logs:
            logs.update(_as_logs(self._last_entry() or self._measure()))

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Evaluate the final weights."""
        if self._last_entry() is None:
            self._evaluate()

    # -- called by the checkpoint callback ---------------------------------------------------

    def current_state(self) -> EvaluationState:
        """Return the current state, with the duration of the training so far.

        Returns
        -------
        EvaluationState
            The state that `resume_from` takes.
        """
        self.state.seconds = time.perf_counter() - self._start
        return self.state

    def resume_from(self, state: EvaluationState) -> None:
        """Make the next training continue from a state.

        Parameters
        ----------
        state : EvaluationState
            What `current_state` returned.
        """
        self.state = self._resumed = state

    # -- internal ----------------------------------------------------------------------------

    def _new_state(self) -> EvaluationState:
        return EvaluationState(losses=deque(maxlen=self.loss_window))

    def _loss_sums(self) -> tuple[float, float]:
        """Return the sum of the rows' losses, and the sum of their weights."""
        total, count = map(keras.ops.convert_to_numpy, (self._tracker.total, self._tracker.count))
        return float(total), float(count)

    def _loss(self, y_score: NDArray[np.float32]) -> float:
        y_true = self._y_true.astype(y_score.dtype)
        known = ~np.isnan(y_true)
        if known.all():
            return float(keras.ops.mean(keras.losses.get(self.model.loss)(y_true, y_score)))
        entries = EntryLoss(self.model.loss).call(np.where(known, y_true, 0), y_score)
        return float(keras.ops.convert_to_numpy(entries)[known].mean())

    def _constant_loss(self) -> float:
        """Return the validation loss of the best constant scores: the frequency of each label."""
        frequency = label_shares(self._y_true).astype(np.float32)
        positive = np.asarray(getattr(self.model.loss, "positive_weight", 1), np.float32)
        negative = np.asarray(getattr(self.model.loss, "negative_weight", 1), np.float32)
        total = positive * frequency + negative * (1 - frequency)
        scores = np.where(total > 0, positive * frequency / np.where(total > 0, total, 1), 0.5)
        return self._loss(np.broadcast_to(scores.astype(np.float32), self._y_true.shape))

    def _last_entry(self) -> dict[str, Any] | None:
        """Return the entry of an evaluation after the last batch; None if there was none."""
        last = self.state.history[-1] if self.state.history else None
        return last if last is not None and last["step"] == self.state.step else None

    def _measure(self) -> dict[str, Any]:
        """Return the values of the present weights on the validation rows."""
        y_score = self._score_validation()
        if not np.isfinite(y_score).all():
            msg = (
                f"Training diverged: after {self.state.step} batches the scores are not finite. "
                "Use a smaller learning rate, or scale the features."
            )
            raise FloatingPointError(msg)
        columns = self._has_both_classes
        thresholds = tune_thresholds(self._y_true, y_score)
        values = {
            "validation_loss": self._loss(y_score),
            "mean_roc_auc": float(mean_roc_auc(self._y_true[:, columns], y_score[:, columns])),
            "mean_accuracy": float(mean_accuracy(self._y_true, y_score, thresholds)),
        }
        monitored = compute_monitor(self.monitor, self._y_true, y_score)
        return values if monitored is None else {**values, monitor_column(self.monitor): monitored}

    def _evaluate(self) -> None:
        state = self.state
        values = self._measure()
        is_best = state.best is None or rank(self.monitor, values) > rank(self.monitor, state.best)
        state.history.append(
            {
                "step": state.step,
                "epoch": state.epoch,
                "seconds": time.perf_counter() - self._start,
                "loss": state.window_loss,
                **values,
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


def _find_two_class_labels(y_true: NDArray[Any], labels: Sequence[str]) -> NDArray[np.bool_]:
    has_both: NDArray[np.bool_] = (y_true == 1).any(axis=0) & (y_true == 0).any(axis=0)
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


def _as_logs(entry: Mapping[str, Any]) -> dict[str, float]:
    """Return the validation values of an evaluation under the names that Keras gives them."""
    names = {"loss": "validation_loss"} | {name: name for name in _validation_columns(entry)}
    return {f"val_{name}": entry[column] for name, column in names.items()}


def _validation_columns(entry: Mapping[str, Any]) -> list[str]:
    """Return the columns with metrics of the validation rows."""
    others = {"step", "epoch", "seconds", "loss", "validation_loss", "best"}
    return [column for column in entry if column not in others]


def _format_line(entry: Mapping[str, Any]) -> str:
    metrics = [
        f"{metric_title(column)} {entry[column]:.4f}" for column in _validation_columns(entry)
    ]
    return (
        f"step {entry['step']:6d}  epoch {entry['epoch']:3d}  loss {entry['loss']:.4f}  "
        f"validation: {', '.join(metrics)}{'  best so far' if entry['best'] else ''}"
    )
