"""The backbone of a `TextEncoder`: from token ids to one vector per text."""

from __future__ import annotations

import keras

from multimodal_ensemble.encoders._layers import InferenceModel
from multimodal_ensemble.encoders._text_layers import TokenInputs, TokenPooling


def build_text_backbone(
    name: str, network: keras.Model, *, pad_id: int, pooling: str, normalize: bool, windows: bool
) -> keras.Model:
    """Return a model from padded token ids to one vector per text.

    With `windows`, it takes ids of shape ``(n, n_windows, length)``.
    """
    shape = (None, None) if windows else (None,)
    ids = keras.Input(shape, dtype="int32", name="token_ids")
    inputs = TokenInputs(pad_id, sorted(network.input), name="network_inputs")(ids)
    # Half precision cannot count the tokens of a long text, and makes NaN of a vector of zeros.
    pool = TokenPooling(pooling, pad_id, name="pooling", dtype="float32")
    vectors = pool([network(inputs), ids])
    if normalize:
        vectors = keras.layers.UnitNormalization(name="normalization", dtype="float32")(vectors)
    backbone: keras.Model = InferenceModel(ids, vectors, name=name)
    return backbone
