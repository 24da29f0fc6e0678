"""Networks of token ids: what a text encoder can use of them, as they were trained."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from multimodal_ensemble.exceptions import ModalityError

_INPUTS = {"token_ids", "padding_mask", "segment_ids"}
# The activation that some networks of KerasHub compute in place of the exact "gelu".
_APPROXIMATE = "gelu_approximate"


def tokens_only(network: keras.Model, modality: str) -> keras.Model:
    """Return the part of a network that returns one vector per token."""
    inputs = getattr(network, "input", None)
    names = set(inputs) if isinstance(inputs, dict) else set()
    outputs = getattr(network, "output", None)
    vectors = outputs.get("sequence_output") if isinstance(outputs, dict) else outputs
    is_known = {"token_ids", "padding_mask"} <= names <= _INPUTS
    if not is_known or len(getattr(vectors, "shape", ())) != 3:
        described = sorted(names) if names else getattr(inputs, "shape", inputs)
        msg = (
            f"The backbone of {modality!r} must take token_ids and padding_mask, perhaps "
            "segment_ids, and return one vector per token, as BERT, DistilBERT, RoBERTa and most "
            f"encoders and decoders of KerasHub do. {type(network).__name__} takes {described}."
        )
        raise ModalityError(msg)
    # Without a layer that the vectors of tokens do not need, such as one for classification.
    return keras.Model(inputs, vectors) if isinstance(outputs, dict) else network


def check_padding(network: keras.Model, modality: str) -> None:
    """Raise a ModalityError if the vectors of tokens depend on the padding behind them."""
    alone = np.array([[1, 2, 3]], dtype=np.int32)
    padded = np.array([[1, 2, 3, 0, 0, 0], [3, 2, 1, 3, 2, 1]], dtype=np.int32)
    vectors = []
    for ids in (alone, padded):
        mask = (ids > 0).astype(np.int32)
        made = {"token_ids": ids, "padding_mask": mask, "segment_ids": np.zeros_like(ids)}
        returned = network({name: made[name] for name in network.input}, training=False)
        vectors.append(keras.ops.convert_to_numpy(returned)[0, :3].astype(np.float32))
    is_exact = network.compute_dtype == "float32"
    apart = np.abs(vectors[0] - vectors[1]).max() / max(1e-6, np.abs(vectors[0]).max())
    if apart > (1e-4 if is_exact else 5e-2):
        msg = (
            f"The vectors that the backbone of {modality!r} returns depend on the padding behind a "
            f"text, so features would depend on the texts beside it. {network.name!r} cannot be "
            "used; BERT, DistilBERT, RoBERTa and most encoders of KerasHub can."
        )
        raise ModalityError(msg)


def as_trained(
    config: dict[str, Any], network: keras.Model, details: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a configuration with the activation and epsilon in the model's own `config.json`.

    KerasHub computes the GELU of BERT by an approximation, whatever the file says, which changes
    vectors by 1e-3, and takes the epsilon of layer normalisation from the original models.
    """
    wanted: dict[str, Any] = {}
    if (epsilon := details.get("layer_norm_eps")) is not None:
        wanted |= {"epsilon": epsilon, "layer_norm_epsilon": epsilon}
    is_exact = details.get("hidden_act") == "gelu"

    def correct(layer: dict[str, Any]) -> dict[str, Any]:
        changed = {key: wanted.get(key, value) for key, value in layer.items()}
        if is_exact and _APPROXIMATE in str(changed.get("activation")):
            changed["activation"] = "gelu"
        return changed

    layers = [layer.get_config() for layer in network.layers] if wanted or is_exact else []
    if all(correct(layer) == layer for layer in layers):
        return config
    graph = keras.Model(network.input, network.output, name=config["config"]["name"])
    described: dict[str, Any] = keras.saving.serialize_keras_object(graph)
    for layer in described["config"]["layers"]:
        layer["config"] = correct(layer["config"])
    return described


def layer_name(label: str) -> str:
    """Return a name with an underscore in place of what no name of a layer may hold."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", label).strip("._-") or "text"
