"""The layer that joins the embeddings of a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import keras

from multimodal_ensemble._layer_names import EMBEDDINGS
from multimodal_ensemble.fusion._attention_fusion import AttentionFusion
from multimodal_ensemble.fusion._gated_fusion import GatedFusion

_LAYERS: dict[str, Callable[..., keras.Layer]] = {
    "concat": keras.layers.Concatenate,
    "gated": GatedFusion,
    "attention": AttentionFusion,
}


def check_fusion(fusion: Any) -> None:
    """Raise a ValueError unless `fusion` is what `fuse_encoders` takes.

    Parameters
    ----------
    fusion : object
        The value to check.

    Raises
    ------
    ValueError
        If it is neither the name of a fusion nor a Keras layer.

    Examples
    --------
    >>> from multimodal_ensemble.fusion import check_fusion
    >>> check_fusion("gated")
    """
    is_known = isinstance(fusion, keras.Layer) or (isinstance(fusion, str) and fusion in _LAYERS)
    if not is_known:
        names = ", ".join(map(repr, _LAYERS))
        msg = (
            f"fusion must be one of {names}, or a Keras layer that takes a list of embeddings and "
            f"returns one, such as GatedFusion(64) or keras.layers.Average(). Received {fusion!r}."
        )
        raise ValueError(msg)


def make_fusion_layer(fusion: str | keras.Layer) -> keras.Layer:
    """Return a new layer with new weights; that of the caller stays unbuilt."""
    check_fusion(fusion)
    if isinstance(fusion, str):
        return _LAYERS[fusion](name=EMBEDDINGS)
    return type(fusion).from_config({**fusion.get_config(), "name": EMBEDDINGS})


def fusion_shapes(
    fusion: str | keras.Layer, sizes: Sequence[int]
) -> tuple[list[tuple[int, ...]], int] | None:
    """Return the shapes of the weights of a fusion and the size of its result.

    No memory is allocated for the weights. The result is None for a layer that needs their values.

    Parameters
    ----------
    fusion : str or keras.Layer
        As for `fuse_encoders`.
    sizes : sequence of int
        Sizes of the embeddings, of which there are at least two.

    Returns
    -------
    tuple of list of tuple and int, or None
        The shapes of all weights in the order of ``get_weights``, and the size of the embedding.

    Examples
    --------
    >>> from multimodal_ensemble.fusion import GatedFusion, fusion_shapes
    >>> fusion_shapes(GatedFusion(2), [3, 4])
    ([(3, 2), (2,), (4, 2), (2,), (7, 4), (4,)], 2)
    """
    shapes = [(None, size) for size in sizes]

    def build() -> tuple[list[tuple[int, ...]], int] | None:
        with keras.StatelessScope(initialize_variables=False):
            try:
                layer = make_fusion_layer(fusion)
                layer.build(shapes)
                size = layer.compute_output_shape(shapes)[-1]
            except Exception:
                # A layer of a user may need values, or cannot join these sizes. Building the model
                # reports the error.
                return None
            return [tuple(weight.shape) for weight in layer.weights], size

    # Keras initialises variables without values later, unless the thread that created them ends.
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(build).result()
