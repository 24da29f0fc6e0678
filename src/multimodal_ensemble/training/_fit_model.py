"""Training of one model."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike

from multimodal_ensemble._graphs import releasing_graphs
from multimodal_ensemble._keras import get_optimizer
from multimodal_ensemble._validation import check_at_least, check_choice
from multimodal_ensemble._warnings import warn
from multimodal_ensemble.generators import MultimodalDataset
from multimodal_ensemble.training._adapt_to_rows import adapt_to_rows
from multimodal_ensemble.training._check_datasets import check_datasets, check_is_dataset
from multimodal_ensemble.training._fit_result import FitResult
from multimodal_ensemble.training._identity import identify_training
from multimodal_ensemble.training._label_weights import resolve_loss
from multimodal_ensemble.training._monitor import MonitorFunction
from multimodal_ensemble.training._predict_scores import model_for_dataset
from multimodal_ensemble.training._resuming import CheckpointCallback
from multimodal_ensemble.training._run_epochs import run_epochs
from multimodal_ensemble.training._validation_evaluation import ValidationEvaluation

# The interval of the reference study; shorter trainings have ten evaluations.
_EVALUATE_EVERY = 150
_MIN_EVALUATIONS = 10
_CHANCE = 0.5


def fit_model(
    model: keras.Model,
    train: MultimodalDataset,
    validation: MultimodalDataset,
    *,
    epochs: int = 100,
    optimizer: Any = "adam",
    loss: Any = "binary_crossentropy",
    label_weight: str | Mapping[str, float] | ArrayLike | None = None,
    evaluate_every: int | None = None,
    loss_window: int = 200,
    patience: int | None = 10,
    monitor: str | MonitorFunction = "mean_roc_auc",
    callbacks: Sequence[keras.callbacks.Callback] = (),
    checkpoint: str | PathLike[str] | None = None,
    resume_from: str | PathLike[str] | None = None,
    checkpoint_metadata: Mapping[str, Any] | None = None,
    verbose: int = 1,
) -> FitResult:
    """Train a fusion model, and leave it with the weights of its best evaluation.

    Layers of heads that adapt to the training rows are adapted first, but not again if the model
    is trained further. Modalities whose features are in the data sets are trained from these. The
    weights before training never count as the best.

    Pass a `checkpoint` for a long training. If the process is killed, another one can resume after
    the last finished epoch, with the same result as an uninterrupted training.

    Parameters
    ----------
    model : keras.Model
        A model that `fuse_encoders` or `fuse_models` returned; changed in place.
    train, validation : MultimodalDataset
        Rows with labels. Make `train` with ``shuffle=True``.
    epochs : int, default=100
        Maximum number of passes over the training rows.
    optimizer : str or keras.optimizers.Optimizer, default="adam"
        As for `keras.Model.compile`; make a new instance for each call.
    loss : str, keras.losses.Loss or callable, default="binary_crossentropy"
        As for `keras.Model.compile`.
    label_weight : "balanced", mapping of str to float or array-like of shape (n_labels,), optional
        Weights of labels in the binary cross-entropy: those of `balanced_label_weights` for the
        training rows, or the weight of the positives of each label, 1 where a mapping does not name
        it. The scores are then no probabilities; thresholds compensate for that.
    evaluate_every : int, optional
        Number of batches between two evaluations of the validation rows. Default: 150, or a tenth
        of the batches of all epochs if that is fewer.
    loss_window : int, default=200
        Number of batches over which the training loss in the history is averaged.
    patience : int or None, default=10
        Number of evaluations in a row without a better one after which training stops; None never
        stops early. See `ValidationEvaluation`.
    monitor : str or callable, default="mean_roc_auc"
        The metric of the validation rows that chooses the best weights and stops the training:
        ``"mean_roc_auc"``, ``"loss"``, ``"mean_average_precision"``, ``"f1"``, or a callable
        ``(y_true, y_score) -> float``, greater for better scores. See `ValidationEvaluation`.
    callbacks : sequence of keras.callbacks.Callback, default=()
        Further callbacks. At the end of an epoch they act before the checkpoint is written, and
        find the validation values of that time in `logs`: ``val_loss``, ``val_mean_roc_auc`` and
        others, see `ValidationEvaluation`. If one acts at the end of an epoch, each epoch
        therefore costs one more pass over the validation rows.
    checkpoint : path, optional
        File to write at the end of each epoch, in place of the last one. It holds everything that
        is needed to resume, but no frozen weights. An older checkpoint there is replaced, also
        that of another training; any other file is refused. If several trainings write one path,
        the file is that of the last one to finish an epoch.
    resume_from : path, optional
        Checkpoint to resume after its last epoch, with the same model, data, optimizer, loss and
        monitor, which may be new objects. `patience`, `callbacks` and `verbose` may differ, and
        `epochs` may be larger if `evaluate_every` is given. It is also the file to write, unless
        `checkpoint` names another one. If training had ended, the model gets the best weights at
        once. The state of `callbacks` is not resumed. To compare the rows, those of vectors are
        encoded once more, and the files of images are read once more.
    checkpoint_metadata : mapping, optional
        JSON values to add to the checkpoint. Default when resuming: those in the checkpoint.
    verbose : {0, 1, 2}, default=1
        0 is silent, 1 prints one line per evaluation, 2 also shows Keras's progress bars.

    Returns
    -------
    FitResult
        With the history of evaluations. A warning is issued if the best of them is no better than
        chance.

    Raises
    ------
    ModalityError
        If the modalities of a data set and of the model differ; the message names them.
    ValueError
        If the labels do not fit the model, the label weights do not fit the labels or the loss, or
        the loss is Keras's categorical cross-entropy and a row does not have exactly one label.
    FileNotFoundError
        If there is no file to resume from.
    CheckpointError
        If the file is no checkpoint, or one of another training; the message says what differs.
    OSError
        If the checkpoint cannot be written. The model keeps the best weights so far.
    FloatingPointError
        If training diverges.
    KeyboardInterrupt
        On Ctrl-C. The model keeps the best weights so far, and the exception's attribute
        ``fit_result`` is the `FitResult` so far.

    Examples
    --------
    >>> from multimodal_ensemble import (
    ...     DenseEncoder, MultimodalDataset, fuse_encoders, fit_model)
    >>> data = {"x": [-1.0, 0.0, 1.0, 2.0]}
    >>> x = DenseEncoder("x").fit(data["x"])
    >>> rows = MultimodalDataset(data, [x], [[0], [0], [1], [1]], shuffle=True)
    >>> model = fuse_encoders([x], n_labels=1, seed=1)
    >>> result = fit_model(model, rows, rows, epochs=20, evaluate_every=10, verbose=0)
    >>> result.best_roc_auc
    1.0
    """
    start = time.perf_counter()
    check_at_least(epochs, 1, name="epochs")
    check_choice(verbose, (0, 1, 2), name="verbose")
    callbacks = _check_callbacks(callbacks)
    if evaluate_every is None:
        n_batches = epochs * len(check_is_dataset(train))
        evaluate_every = min(_EVALUATE_EVERY, max(1, n_batches // _MIN_EVALUATIONS))
    check_datasets(model, train, validation)
    trained_loss = resolve_loss(loss, label_weight, train)
    optimizer = get_optimizer(optimizer)

    trained = model_for_dataset(model, train)
    evaluation = ValidationEvaluation(
        validation,
        evaluate_every=evaluate_every,
        loss_window=loss_window,
        patience=patience,
        monitor=monitor,
        # Other callbacks find the validation values in their logs, which costs an evaluation.
        epoch_logs=any(map(_acts_after_epochs, callbacks)),
        verbose=min(verbose, 1),
    )
    # Other callbacks act first, so that the checkpoint holds their effect.
    callbacks = [evaluation, *callbacks]
    saving: CheckpointCallback | None = None
    path = resume_from if checkpoint is None else checkpoint
    if path is not None:
        identity = identify_training(
            model,
            trained,
            (train, validation),
            optimizer=optimizer,
            loss=trained_loss,
            evaluation={
                "monitor": monitor,
                "evaluate_every": evaluate_every,
                "loss_window": loss_window,
            },
        )
        saving = CheckpointCallback(
            evaluation, train, identity, path, resume_from=resume_from, metadata=checkpoint_metadata
        )
        callbacks.append(saving)
    elif checkpoint_metadata is not None:
        msg = "checkpoint_metadata is part of a checkpoint; also pass checkpoint=..."
        raise ValueError(msg)

    trained.compile(optimizer=optimizer, loss=trained_loss)
    evaluation.set_model(trained)
    n_finished = 0 if saving is None else saving.restore(trained, epochs=epochs)
    start -= evaluation.state.seconds
    # The checkpoint has been restored, so scaling that it contains is not learned again.
    adapt_to_rows(model, train)
    if not trained.optimizer.built:
        # Keras would build it within the first step, and would trace that step twice.
        trained.optimizer.build(trained.trainable_variables)
    try:
        with releasing_graphs(trained):
            run_epochs(
                trained,
                train,
                callbacks,
                first_epoch=n_finished,
                epochs=epochs,
                show_progress=verbose == 2,
            )
    except KeyboardInterrupt as interrupt:
        state = evaluation.state
        line = f"Training was interrupted after {state.step} batches. {state.describe_weights()}."
        print(line if saving is None else f"{line} {saving.describe_resuming()}", flush=True)
        error: Any = interrupt
        error.fit_result = _make_result(trained, evaluation, start)
        raise
    finally:
        # An interrupted training also leaves the best weights so far.
        evaluation.restore_best()
        if trained_loss is not loss:
            # A model that is saved with the weighted loss loads only where this package has been
            # imported.
            trained.compile(optimizer=trained.optimizer, loss=loss)
    result = _make_result(trained, evaluation, start)
    if result.best_roc_auc <= _CHANCE:
        warn(
            f"The best mean ROC-AUC on the validation rows is {result.best_roc_auc:.3f}, no better "
            "than chance (0.5), so the model has learned nothing that holds for them. Check that "
            "the rows of X and y belong together, use more rows, or train longer."
        )
    return result


def _check_callbacks(callbacks: Any) -> list[keras.callbacks.Callback]:
    is_one = isinstance(callbacks, keras.callbacks.Callback)
    checked: list[keras.callbacks.Callback] = [callbacks] if is_one else list(callbacks)
    for callback in checked:
        if not isinstance(callback, keras.callbacks.Callback):
            msg = f"callbacks must be instances of keras.callbacks.Callback. Received {callback!r}."
            raise TypeError(msg)
    return checked


def _acts_after_epochs(callback: keras.callbacks.Callback) -> bool:
    """Return whether a callback can read the logs of an epoch."""
    method = getattr(callback.on_epoch_end, "__func__", None)
    return method is not keras.callbacks.Callback.on_epoch_end


def _make_result(trained: keras.Model, evaluation: ValidationEvaluation, start: float) -> FitResult:
    return FitResult(
        history=evaluation.history,
        best_step=evaluation.best_step or 0,
        best_roc_auc=evaluation.best_roc_auc,
        n_trainable=sum(int(np.prod(weight.shape)) for weight in trained.trainable_weights),
        seconds=time.perf_counter() - start,
    )
