"""Adapting the heads of a fusion model to the training rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, TypeAlias

import keras
import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble.encoders import FeatureScaling
from multimodal_ensemble.exceptions import ModalityError
from multimodal_ensemble.fusion._parts import can_adapt, fusion_parts

# A function that returns an iterator over some rows at a time.
_Chunks: TypeAlias = Callable[[], Iterator[NDArray[Any]]]


def adapt_heads(model: keras.Model, features: Mapping[str, NDArray[Any] | _Chunks]) -> None:
    """Adapt the layers of heads that have an `adapt` method to the training rows.

    Each such layer, for example `FeatureScaling`, is adapted to its own input. `fit_model` calls
    this function.

    Parameters
    ----------
    model : keras.Model
        Made by `fuse_encoders`.
    features : mapping of str to ndarray of shape (n_samples, ...), or to callable
        The input of the head for the training rows, for each modality to adapt: features, or
        encoded rows where there is no backbone. A function without arguments may return an
        iterator over some rows at a time, so that `FeatureScaling` never holds all of them.

    Raises
    ------
    ModalityError
        If the model has no head for a modality.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble import ImageEncoder, fuse_encoders
    >>> from multimodal_ensemble.encoders import DenseHead
    >>> from multimodal_ensemble.fusion import adapt_heads
    >>> poster = ImageEncoder("poster", backbone="MobileNet", weights=None, image_size=32,
    ...                       head=DenseHead(8, scaling="standard"))
    >>> model = fuse_encoders([poster], n_labels=3)
    >>> adapt_heads(model, {"poster": np.full((4, 1024), 7.0)})
    >>> float(model.get_layer("poster_head").get_layer("scaling").mean[0])
    7.0
    """
    heads = {name: parts.head for name, parts in fusion_parts(model).items() if parts.head}
    for name, values in features.items():
        if name not in heads:
            msg = f"The model {model.name!r} has no head for {name!r}; it has one for {[*heads]}."
            raise ModalityError(msg)
        _adapt(heads[name], values if callable(values) else partial(_one_chunk, values))
    # A prediction that Keras has traced holds the statistics of `Normalization` as constants.
    model.predict_function = None


def _adapt(layer: keras.Layer, chunks: _Chunks) -> None:
    if isinstance(layer, FeatureScaling):
        layer.adapt_to_chunks(chunks())
        return
    if not isinstance(layer, keras.Sequential):
        layer.adapt(np.concatenate([*chunks()]))
        return
    adaptable = [can_adapt(inner) for inner in layer.layers]
    for position, inner in enumerate(layer.layers):
        if adaptable[position]:
            _adapt(inner, chunks)
        if not any(adaptable[position + 1 :]):
            return
        chunks = partial(_call_on_chunks, inner, chunks)


def _one_chunk(values: NDArray[Any]) -> Iterator[NDArray[Any]]:
    yield values


def _call_on_chunks(layer: keras.Layer, chunks: _Chunks) -> Iterator[NDArray[Any]]:
    for chunk in chunks():
        yield keras.ops.convert_to_numpy(layer(chunk, training=False))
