"""Fitting one model."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike, NDArray

from multimodal_ensemble._validation import check_at_least, check_choice
from multimodal_ensemble.exceptions import ModalityError
from multimodal_ensemble.fusion import ModalityParts, adapt_heads, fusion_parts
from multimodal_ensemble.generators import MultimodalDataset
from multimodal_ensemble.training._checkpoint_writing import CheckpointWriting
from multimodal_ensemble.training._fit_checks import (
    check_datasets,
    check_loss,
    refuse_class_weight,
)
from multimodal_ensemble.training._fit_result import FitResult
from multimodal_ensemble.training._identity import training_identity
from multimodal_ensemble.training._interruption import describe_interruption
from multimodal_ensemble.training._label_weights import weighted_loss
from multimodal_ensemble.training._predict import check_dataset, model_on_dataset
from multimodal_ensemble.training._validation_scoring import ValidationScoring, required_labels

# The reference study's.
_EVALUATE_EVERY = 150


def fit_model(
    model: keras.Model,
    train: MultimodalDataset,
    validation: MultimodalDataset,
    *,
    epochs: int = 100,
    optimizer: Any = "adam",
    loss: Any = "binary_crossentropy",
    label_weight: str | Mapping[str, float] | ArrayLike | None = None,
    class_weight: None = None,
    evaluate_every: int | None = None,
    loss_window: int = 200,
    patience: int | None = 10,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    checkpoint: str | PathLike[str] | None = None,
    resume_from: str | PathLike[str] | None = None,
    checkpoint_metadata: Mapping[str, Any] | None = None,
    verbose: int = 1,
) -> FitResult:
    """Train a fusion model, and leave it with the weights that did best on validation rows.

    Layers of the heads that adapt to the training rows are adapted first; `FeatureScaling` only
    once, so that training a model further, or fusing it, leaves its scaling as it is. Modalities
    whose features the data sets give are trained from there; the model's other layers are the
    same objects, so that the whole model is trained. The weights before training are no candidate
    for the best ones.

    A training that takes long is best given a `checkpoint`: killed, it goes on from there after the
    last epoch that was finished, in a new process, too, and ends where it would have ended.

    Parameters
    ----------
    model : keras.Model
        Made by `fuse_encoders` or `fuse_models`; changed in place.
    train, validation : MultimodalDataset
        Rows with labels. Make `train` with ``shuffle=True``.
    epochs : int, default=100
        Passes over the training rows at most.
    optimizer : str or keras.optimizers.Optimizer, default="adam"
        As `keras.Model.compile` takes it. Keras binds an instance to the model that it trains:
        make a new one for each call.
    loss : str, keras.losses.Loss or callable, default="binary_crossentropy"
        As `keras.Model.compile` takes it.
    label_weight : "balanced", mapping of str to float or array-like of shape (n_labels,), optional
        Weights of labels in the binary cross-entropy. ``"balanced"``: those of
        `balanced_label_weights` for the training rows, which count each label's positives as much
        as its negatives. Numbers weigh each label's positives; labels that a mapping does not
        name weigh 1. Scores are then no probabilities any more: thresholds take care of that.
    class_weight : None
        Refused, with the reason: Keras has it for rows of exactly one class.
    evaluate_every : int, optional
        Batches between two scorings of the validation rows. Default: 150, or one pass over the
        training rows where that is fewer.
    loss_window : int, default=200
        Over how many batches the history's training loss is averaged.
    patience : int, optional
        Stop after so many scorings in a row without a better mean ROC-AUC; None never stops
        early.
    callbacks : sequence of keras.callbacks.Callback, default=()
        More callbacks. Those of Keras that act at the end of an epoch come before the checkpoint.
    checkpoint : path, optional
        A file to which everything that training needs to go on is written at the end of each
        epoch, in place of the last one: the weights that are trained, the best ones so far, the
        optimizer, what draws at random, and the scorings. Frozen weights are not in it.
    resume_from : path, optional
        A checkpoint to go on from, after its last epoch, with the same model, data, optimizer and
        loss, which may be new objects; `epochs` may be more. It is written further, unless
        `checkpoint` names another file. Where training had ended, the model gets the best weights
        at once. What `callbacks` keep themselves is not resumed.
    checkpoint_metadata : mapping, optional
        What else to write into the checkpoint, as JSON. Default when resuming: what is there.
    verbose : {0, 1, 2}, default=1
        0 is silent, 1 prints a line a scoring, 2 shows Keras's progress bars, too.

    Returns
    -------
    FitResult
        With the history of scorings.

    Raises
    ------
    ModalityError
        If a data set lacks a modality of the model or has another one; the message names it.
    ValueError
        If a data set has no labels, or another number of labels than the model, or if the loss
        is Keras's categorical cross-entropy and rows have several labels or none. If weights of
        labels do not fit the labels or the loss.
    FileNotFoundError
        If there is no file to resume from.
    CheckpointError
        If the file is not a checkpoint, or one of another model, other rows, another optimizer or
        loss; the message says what differs.
    OSError
        If the checkpoint cannot be written. The model keeps the best weights so far.
    FloatingPointError
        If training diverges.
    KeyboardInterrupt
        On Ctrl-C. The model keeps the best weights so far, a line says which, and the exception's
        `fit_result` is the `FitResult` so far.

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
    check_at_least(epochs, 1, name="epochs")
    check_choice(verbose, (0, 1, 2), name="verbose")
    callbacks = [callbacks] if isinstance(callbacks, keras.callbacks.Callback) else list(callbacks)
    if odd := [each for each in callbacks if not isinstance(each, keras.callbacks.Callback)]:
        msg = f"callbacks must be instances of keras.callbacks.Callback. Received {odd[0]!r}."
        raise TypeError(msg)
    start = time.perf_counter()
    if evaluate_every is None:
        evaluate_every = min(_EVALUATE_EVERY, len(check_dataset(train)))
    refuse_class_weight(class_weight)
    check_datasets(model, train, validation)
    if label_weight is not None:
        y = required_labels(train, "training")
        loss = weighted_loss(label_weight, y, train.labels, loss=loss)
    check_loss(loss, train)
    optimizer = keras.optimizers.get(optimizer)
    trained = model_on_dataset(model, train)
    scoring = ValidationScoring(
        validation,
        evaluate_every=evaluate_every,
        loss_window=loss_window,
        patience=patience,
        verbose=min(verbose, 1),
    )
    writing: CheckpointWriting | None = None
    path = resume_from if checkpoint is None else checkpoint
    if path is not None:
        writing = CheckpointWriting(
            scoring,
            train,
            training_identity(model, trained, (train, validation), optimizer=optimizer, loss=loss),
            path,
            resume_from=resume_from,
            metadata=checkpoint_metadata,
        )
    elif checkpoint_metadata is not None:
        msg = "checkpoint_metadata is written into a checkpoint; pass checkpoint=..., too."
        raise ValueError(msg)
    trained.compile(optimizer=optimizer, loss=loss)
    scoring.set_model(trained)
    n_finished = 0 if writing is None else writing.restore(trained, epochs=epochs)
    start -= scoring._state.seconds
    # Scaling that came with the checkpoint is not learned again.
    parts = fusion_parts(model)
    adapt_heads(
        model,
        {name: _head_input(parts[name], train) for name in parts if parts[name].needs_adapting},
    )
    if not trained.optimizer.built:
        # Keras would build it within the first step, and trace that step twice.
        trained.optimizer.build(trained.trainable_variables)
    try:
        trained.fit(
            train,
            initial_epoch=n_finished,
            epochs=epochs,
            # The data set shuffles rows from its own seed; Keras would shuffle the batches on
            # top of that, from the global one.
            shuffle=False,
            # What other callbacks do at the end of an epoch belongs into the checkpoint.
            callbacks=[scoring, *callbacks, *([] if writing is None else [writing])],
            verbose=int(verbose == 2),
        )
    except KeyboardInterrupt as interrupt:
        print(describe_interruption(scoring, writing), flush=True)
        error: Any = interrupt
        error.fit_result = _result(trained, scoring, start)
        raise
    finally:
        # Also on Ctrl-C: the best weights so far are what an interrupted training is worth.
        scoring.restore_best()
        if label_weight is not None:
            # A model that was saved with the weighted loss would load only where this room has
            # been imported.
            trained.compile(optimizer=trained.optimizer, loss="binary_crossentropy")
    return _result(trained, scoring, start)


def _result(trained: keras.Model, scoring: ValidationScoring, start: float) -> FitResult:
    return FitResult(
        history=scoring.history,
        best_step=int(scoring.best_step or 0),
        best_roc_auc=float(scoring.best_roc_auc),
        n_trainable=sum(int(np.prod(weight.shape)) for weight in trained.trainable_weights),
        seconds=time.perf_counter() - start,
    )


def _head_input(parts: ModalityParts, train: MultimodalDataset) -> NDArray[Any]:
    """Return what a head receives for the training rows that have the modality."""
    name = parts.name
    present = np.flatnonzero(train.present(name))
    if not present.size:
        msg = f"Modality {name!r} is missing in all training rows, so its head cannot adapt."
        raise ModalityError(msg)
    if name in train.features and parts.trained is None:
        return train.features[name][present]
    before = parts.trained if name in train.features else parts.backbone
    outputs = []
    for rows in np.array_split(present, -(-present.size // 32)):
        inputs = train.encode_rows(rows, [name])[name]
        outputs.append(inputs if before is None else np.asarray(before.predict_on_batch(inputs)))
    return np.concatenate(outputs)
