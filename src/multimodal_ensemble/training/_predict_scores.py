"""Scores of a model for a data set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._graphs import predict_batch
from multimodal_ensemble._progress import make_progress_bar
from multimodal_ensemble.fusion import feature_model
from multimodal_ensemble.generators import MultimodalDataset
from multimodal_ensemble.training._check_datasets import check_modalities

# Vectors are small, so large batches save the fixed cost of a call. Vectors of many tokens are not.
_VECTORS_PER_CALL = 4096
_BYTES_PER_CALL = 2**25
# Inputs are kept for the evaluations of a training if all of them take no more than this.
_KEPT_BYTES = 2**26


def predict_scores(
    model: keras.Model, dataset: MultimodalDataset, *, verbose: int = 0
) -> NDArray[np.float32]:
    """Return a model's scores for the rows of a data set, in the order of the rows.

    Parameters
    ----------
    model : keras.Model
        A model that `fuse_encoders` or `fuse_models` returned.
    dataset : MultimodalDataset
        The rows, with or without labels. Shuffling of its batches has no effect.
    verbose : {0, 1}, default=0
        Whether to show a progress bar, unless all modalities are vectors.

    Returns
    -------
    ndarray of shape (n_samples, n_labels)
        Scores in 0..1, float32.

    Raises
    ------
    ModalityError
        If the modalities of the data set and of the model differ; the message names them.

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
    if verbose and not dataset.has_vectors_only:
        inputs = _show_progress(inputs, dataset.n_samples)
    return score_inputs(model_for_dataset(model, dataset), inputs)


def model_for_dataset(model: keras.Model, dataset: MultimodalDataset) -> keras.Model:
    """Return the model, or its part behind the backbones whose features the data set has."""
    return feature_model(model, list(dataset.features)) if dataset.features else model


def make_validation_scorer(
    trained: keras.Model, validation: MultimodalDataset
) -> Callable[[], NDArray[np.float32]]:
    """Return a function that scores validation rows with the present weights, many times.

    Inputs that are small vectors are kept. If all rows lack a modality whose rows differ in length,
    they have features of it, also where the trained model takes encoded rows.
    """
    inputs = getattr(trained, "inputs", None) or ()
    lengths = {tensor.name for tensor in inputs if None in tensor.shape[1:]}
    names = [name for name in validation.features if name in lengths]
    # Made once, because each part of a model has a graph of its own.
    model = feature_model(trained, names) if names else trained
    is_small = (
        validation.has_vectors_only
        and validation.n_samples * _bytes_per_row(validation) <= _KEPT_BYTES
    )
    kept = list(all_inputs(validation)) if is_small else None
    return lambda: score_inputs(model, all_inputs(validation) if kept is None else kept)


def all_inputs(dataset: MultimodalDataset) -> Iterator[dict[str, NDArray[Any]]]:
    """Yield the inputs of all rows in their order, in batches that suit their size."""
    step = dataset.batch_size
    if dataset.has_vectors_only:
        step = max(step, min(_VECTORS_PER_CALL, _BYTES_PER_CALL // _bytes_per_row(dataset)))
    for start in range(0, dataset.n_samples, step):
        yield dataset.encode_rows(np.arange(start, min(start + step, dataset.n_samples)))


def _bytes_per_row(dataset: MultimodalDataset) -> int:
    return sum(row.nbytes for row in dataset.encode_rows(np.arange(1)).values())


def score_inputs(
    model: keras.Model, batches: Iterable[dict[str, NDArray[Any]]]
) -> NDArray[np.float32]:
    """Return the scores of batches of inputs as one array."""
    # Tracing a graph takes longer than a few large batches of vectors in a few dense layers.
    takes_vectors = all(len(tensor.shape) == 2 for tensor in model.inputs)
    score = partial(model, training=False) if takes_vectors else partial(predict_batch, model)
    return np.concatenate([keras.ops.convert_to_numpy(score(inputs)) for inputs in batches])


def _show_progress(
    inputs: Iterable[dict[str, NDArray[Any]]], total: int
) -> Iterator[dict[str, NDArray[Any]]]:
    bar = make_progress_bar(total, unit="row")
    for batch in inputs:
        yield batch
        bar.add(len(next(iter(batch.values()))))
