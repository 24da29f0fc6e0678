"""Fitting one model."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multimodal_ensemble._validation import check_at_least, check_choice
from multimodal_ensemble.exceptions import ModalityError
from multimodal_ensemble.fusion import adapt_heads
from multimodal_ensemble.fusion._feature_model import (
    backbone_names,
    find_backbone,
    heads_to_adapt,
    trained_part,
)
from multimodal_ensemble.generators import MultimodalDataset
from multimodal_ensemble.training._predict import check_dataset, check_modalities, model_on_dataset
from multimodal_ensemble.training._validation_scoring import (
    ValidationScoring,
    required_labels,
)

# The reference study's.
_EVALUATE_EVERY = 150


@dataclass(frozen=True)
class FitResult:
    """What `fit_model` tells of a training; the model itself is changed in place.

    Parameters
    ----------
    history : DataFrame
        One row a scoring of the validation rows; see `ValidationScoring`.
    best_step : int
        After how many batches the best score was reached; the model has those weights.
    best_roc_auc : float
        Mean ROC-AUC of the validation rows there.
    n_trainable : int
        How many parameters were trained.
    seconds : float
        How long it took, with the adaptation of heads and the scoring.

    See Also
    --------
    fit_model : Returns one.

    Examples
    --------
    >>> import pandas as pd
    >>> from multimodal_ensemble import FitResult
    >>> FitResult(pd.DataFrame(), 150, 0.8, 5000, 1.5).best_step
    150
    """

    history: pd.DataFrame
    best_step: int
    best_roc_auc: float
    n_trainable: int
    seconds: float


def fit_model(
    model: keras.Model,
    train: MultimodalDataset,
    validation: MultimodalDataset,
    *,
    epochs: int = 100,
    optimizer: Any = "adam",
    loss: Any = "binary_crossentropy",
    evaluate_every: int | None = None,
    loss_window: int = 200,
    patience: int | None = 10,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    verbose: int = 1,
) -> FitResult:
    """Train a fusion model, and leave it with the weights that did best on validation rows.

    Layers of the heads that adapt to the training rows are adapted first; `FeatureScaling` only
    once, so that training a model further, or fusing it, leaves its scaling as it is. Modalities
    whose features the data sets give are trained from there; the model's other layers are the
    same objects, so that the whole model is trained. The weights before training are no candidate
    for the best ones.

    Parameters
    ----------
    model : keras.Model
        Made by `build_concat_fusion` or `fuse_models`; changed in place.
    train, validation : MultimodalDataset
        Rows with labels. Make `train` with ``shuffle=True``.
    epochs : int, default=100
        Passes over the training rows at most.
    optimizer : str or keras.optimizers.Optimizer, default="adam"
        As `keras.Model.compile` takes it. Keras binds an instance to the model that it trains:
        make a new one for each call.
    loss : str, keras.losses.Loss or callable, default="binary_crossentropy"
        As `keras.Model.compile` takes it.
    evaluate_every : int, optional
        Batches between two scorings of the validation rows. Default: 150, or one pass over the
        training rows where that is fewer.
    loss_window : int, default=200
        Over how many batches the history's training loss is averaged.
    patience : int, optional
        Stop after so many scorings in a row without a better mean ROC-AUC; None never stops
        early.
    callbacks : sequence of keras.callbacks.Callback, default=()
        More callbacks.
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
        is Keras's categorical cross-entropy and rows have several labels or none.
    FloatingPointError
        If training diverges.

    Examples
    --------
    >>> from multimodal_ensemble import (
    ...     DenseEncoder, MultimodalDataset, build_concat_fusion, fit_model)
    >>> data = {"x": [-1.0, 0.0, 1.0, 2.0]}
    >>> x = DenseEncoder("x").fit(data["x"])
    >>> rows = MultimodalDataset(data, [x], [[0], [0], [1], [1]], shuffle=True)
    >>> model = build_concat_fusion([x], num_labels=1, seed=1)
    >>> result = fit_model(model, rows, rows, epochs=20, evaluate_every=10, verbose=0)
    >>> result.best_roc_auc
    1.0
    """
    check_at_least(epochs, 1, name="epochs")
    check_choice(verbose, (0, 1, 2), name="verbose")
    start = time.perf_counter()
    if evaluate_every is None:
        evaluate_every = min(_EVALUATE_EVERY, len(check_dataset(train)))
    for dataset, what in ((train, "training"), (validation, "validation")):
        check_modalities(model, dataset)
        _check_labels(model, dataset, what)
    _check_loss(loss, train)
    unnamed = [str(column) for column in range(len(train.labels))]
    if train.labels != validation.labels and unnamed not in (train.labels, validation.labels):
        msg = (
            "Training and validation rows must have the same labels in the same order. Received "
            f"{train.labels} and {validation.labels}."
        )
        raise ValueError(msg)
    if set(train.features) != set(validation.features):
        msg = (
            "Training and validation rows must give features of the same modalities. Received "
            f"{sorted(train.features)} and {sorted(validation.features)}; make both data sets "
            "with the same store."
        )
        raise ModalityError(msg)
    if validation.augment:
        msg = (
            "Validation rows must not be augmented: make their data set with augment=False, or "
            "without shuffle=True, which augments by default."
        )
        raise ValueError(msg)
    adapt_heads(model, {name: _head_input(model, train, name) for name in heads_to_adapt(model)})
    scoring = ValidationScoring(
        validation,
        evaluate_every=evaluate_every,
        loss_window=loss_window,
        patience=patience,
        verbose=min(verbose, 1),
    )
    trained = model_on_dataset(model, train)
    trained.compile(optimizer=optimizer, loss=loss)
    try:
        trained.fit(
            train,
            epochs=epochs,
            # The data set shuffles rows from its own seed; Keras would shuffle the batches on
            # top of that, from the global one.
            shuffle=False,
            callbacks=[scoring, *callbacks],
            verbose=int(verbose == 2),
        )
    finally:
        # Also on Ctrl-C: the best weights so far are what an interrupted training is worth.
        scoring.restore_best()
    return FitResult(
        history=scoring.history,
        best_step=int(scoring.best_step or 0),
        best_roc_auc=float(scoring.best_roc_auc),
        n_trainable=sum(int(np.prod(weight.shape)) for weight in trained.trainable_weights),
        seconds=time.perf_counter() - start,
    )


def _check_labels(model: keras.Model, dataset: MultimodalDataset, what: str) -> None:
    num_labels = required_labels(dataset, what).shape[1]
    if num_labels != model.output_shape[-1]:
        msg = (
            f"The model {model.name!r} predicts {model.output_shape[-1]} labels, and the {what} "
            f"rows have {num_labels}. Build the model with num_labels={num_labels}."
        )
        raise ValueError(msg)


def _check_loss(loss: Any, train: MultimodalDataset) -> None:
    is_categorical = loss == "categorical_crossentropy" or isinstance(
        loss, keras.losses.CategoricalCrossentropy
    )
    if is_categorical and not (required_labels(train, "training").sum(axis=1) == 1).all():
        msg = (
            "Keras's categorical cross-entropy is for rows of exactly one label: it takes the "
            "softmax of what feeds the sigmoid units, and with several labels a row all scores "
            "run away to 1. Use loss='binary_crossentropy'."
        )
        raise ValueError(msg)


def _head_input(model: keras.Model, train: MultimodalDataset, name: str) -> NDArray[Any]:
    """Return what a head receives for the training rows."""
    before: keras.Model | None = None
    if name in train.features:
        before = trained_part(model, name)
        if before is None:
            return train.features[name]
    elif name in backbone_names(model):
        before = find_backbone(model, name)
    parts = []
    for rows in np.array_split(np.arange(train.n_samples), -(-train.n_samples // 32)):
        inputs = train.encode_rows(rows, [name])[name]
        parts.append(inputs if before is None else np.asarray(before.predict_on_batch(inputs)))
    return np.concatenate(parts)
