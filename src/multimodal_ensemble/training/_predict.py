"""Scores of a model for a data set."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._layer_names import presence_name
from multimodal_ensemble.encoders import Encoder
from multimodal_ensemble.exceptions import ModalityError
from multimodal_ensemble.features import model_fingerprint
from multimodal_ensemble.fusion import feature_model
from multimodal_ensemble.fusion._feature_model import (
    backbone_names,
    find_backbone,
    frozen_part,
    input_names,
)
from multimodal_ensemble.generators import MultimodalDataset

# Rows of vectors are small: a large batch spares the fixed cost of a call.
_VECTORS_AT_ONCE = 4096


def predict_scores(
    model: keras.Model, dataset: MultimodalDataset, *, verbose: int = 0
) -> NDArray[np.float32]:
    """Return a model's scores for the rows of a data set, in the order of its rows.

    Parameters
    ----------
    model : keras.Model
        Made by `fuse_encoders` or `fuse_models`.
    dataset : MultimodalDataset
        The rows, with or without labels. That it shuffles its batches does not matter.
    verbose : {0, 1}, default=0
        Whether a progress bar is shown, where rows are more than vectors, such as images.

    Returns
    -------
    ndarray of shape (n_samples, n_labels)
        Scores in 0..1, float32.

    Raises
    ------
    ModalityError
        If the data set lacks a modality of the model or has another one; the message names it.

    Examples
    --------
    >>> from multimodal_ensemble import (
    ...     BagOfWordsEncoder, MultimodalDataset, fuse_encoders, predict_scores)
    >>> data = {"tags": [["space", "war"], ["love"], []]}
    >>> tags = BagOfWordsEncoder("tags").fit(data["tags"])
    >>> model = fuse_encoders([tags], n_labels=2)
    >>> predict_scores(model, MultimodalDataset(data, [tags])).shape
    (3, 2)
    """
    check_modalities(model, dataset)
    inputs = all_inputs(dataset)
    if verbose and not _gives_vectors(dataset):
        inputs = _show_progress(inputs, dataset.n_samples)
    return score_inputs(model_on_dataset(model, dataset), inputs)


def model_on_dataset(model: keras.Model, dataset: MultimodalDataset) -> keras.Model:
    """Return the model, or its part behind the backbones whose features the data set gives."""
    return feature_model(model, list(dataset.features)) if dataset.features else model


def check_dataset(dataset: Any) -> MultimodalDataset:
    """Return a data set, or raise a TypeError that says how to make one."""
    if not isinstance(dataset, MultimodalDataset):
        msg = (
            f"A MultimodalDataset is needed. Received a {type(dataset).__name__}; make "
            "MultimodalDataset(data, encoders, y) of it."
        )
        raise TypeError(msg)
    return dataset


def check_modalities(model: keras.Model, dataset: MultimodalDataset) -> None:
    """Raise a ModalityError unless the data set gives exactly what the model takes."""
    check_dataset(dataset)
    wanted = {tensor.name: tensor.shape[1:] for tensor in model.inputs}
    given = {encoder.name: encoder.input_shape for encoder in dataset.encoders}
    given |= {presence_name(encoder.name): (1,) for encoder in dataset.encoders if encoder.optional}
    missing = sorted(set(wanted) - set(given))
    extra = sorted(set(given) - set(wanted))
    if missing or extra:
        msg = (
            f"The model {model.name!r} takes the modalities {input_names(model)}, and the data "
            f"set gives {list(given)}. Missing: {missing}. Not taken: {extra}. "
            "Make the data set with the encoders that the model was built from."
        )
        raise ModalityError(msg)
    for encoder in dataset.encoders:
        if encoder.name in dataset.features and not dataset.has_features_of(encoder):
            msg = (
                f"The backbone of {encoder.name!r} was unfrozen after the data set took its "
                "features from the store, or was frozen again. Make the data set anew."
            )
            raise ModalityError(msg)
        _check_same_backbone(model, encoder, from_store=encoder.name in dataset.features)
    for name, shape in wanted.items():
        if tuple(shape) != tuple(given[name]):
            msg = (
                f"The model {model.name!r} takes rows of shape {tuple(shape)} as {name!r}, and "
                f"the data set's encoder gives {tuple(given[name])}. "
                "Was the encoder fitted again after the model was built?"
            )
            raise ModalityError(msg)


def _check_same_backbone(model: keras.Model, encoder: Encoder, *, from_store: bool) -> None:
    """Raise a ModalityError if a model has another backbone than its encoder speaks for."""
    backbone = encoder.get_backbone()
    if backbone is None or encoder.name not in backbone_names(model):
        return
    here = find_backbone(model, encoder.name)
    if here is backbone:
        return
    if backbone.trainable_weights and not here.trainable_weights:
        msg = (
            f"The backbone of the encoder {encoder.name!r} is unfrozen, but the model "
            f"{model.name!r} has a frozen one of its own, as a loaded model does. Build the model "
            "from the encoder, and give it the loaded weights with set_weights(get_weights()); or "
            "freeze the encoder's backbone, too, with unfreeze(0), and make the data sets anew."
        )
        raise ModalityError(msg)
    if from_store:
        # A model that was saved and loaded has a backbone of its own, which must be equal.
        frozen_here, frozen = frozen_part(model, encoder.name), encoder.frozen_part()
        if frozen_here and frozen and model_fingerprint(frozen_here) == model_fingerprint(frozen):
            return
        msg = (
            f"The data set gives features of another backbone for {encoder.name!r} than the model "
            f"{model.name!r} has: its structure, preprocessing or weights differ. Make the data "
            "set with the encoder that the model was built from."
        )
        raise ModalityError(msg)


def all_inputs(dataset: MultimodalDataset) -> Iterator[dict[str, NDArray[Any]]]:
    """Yield the inputs of all rows in their order, in batches that fit their size."""
    is_small = _gives_vectors(dataset)
    step = max(dataset.batch_size, _VECTORS_AT_ONCE) if is_small else dataset.batch_size
    for start in range(0, dataset.n_samples, step):
        yield dataset.encode_rows(np.arange(start, min(start + step, dataset.n_samples)))


def _gives_vectors(dataset: MultimodalDataset) -> bool:
    """Return whether each modality gives one vector a row, and no image or the like."""
    return all(
        dataset.features[encoder.name].ndim == 2
        if encoder.name in dataset.features
        else len(encoder.input_shape) == 1
        for encoder in dataset.encoders
    )


def _show_progress(
    inputs: Iterable[dict[str, NDArray[Any]]], total: int
) -> Iterator[dict[str, NDArray[Any]]]:
    # A terminal's line is redrawn; in a log each redraw would be a line of its own.
    interval = 0.2 if sys.stdout.isatty() else 30
    bar = keras.utils.Progbar(total, unit_name="row", interval=interval)
    for batch in inputs:
        yield batch
        bar.add(len(next(iter(batch.values()))))


def score_inputs(
    model: keras.Model, batches: Iterable[dict[str, NDArray[Any]]]
) -> NDArray[np.float32]:
    """Return the scores of batches of inputs, one below the other."""
    # Tracing a graph takes longer than some large batches of vectors through a few dense layers.
    takes_vectors = all(len(tensor.shape) == 2 for tensor in model.inputs)
    score = partial(model, training=False) if takes_vectors else model.predict_on_batch
    return np.concatenate([keras.ops.convert_to_numpy(score(inputs)) for inputs in batches])
