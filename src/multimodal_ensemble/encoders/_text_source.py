"""What a `TextEncoder` is made of: a network, its weights and a tokenizer."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import keras
import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._random import seeded_layers
from multimodal_ensemble.encoders._hub_tokenizer import HubTokenizer
from multimodal_ensemble.encoders._json_tokenizer import JsonTokenizer, is_json_tokenizer
from multimodal_ensemble.encoders._keras_hub import (
    find_file,
    import_keras_hub,
    load_hub_backbone,
    read_json_file,
)
from multimodal_ensemble.exceptions import ModalityError, WeightsUnavailableError
from multimodal_ensemble.saving import check_model_sizes, load_object

Tokenizer: TypeAlias = JsonTokenizer | HubTokenizer

POOLINGS = ("mean", "cls", "max", "last")
_INPUTS = {"token_ids", "padding_mask", "segment_ids"}
# Where neither a file nor the network limits the length of texts.
_MAX_LENGTH = 512
# The largest network of which a file names only the weights.
_MAX_ABSENT_WEIGHTS = 2**28
# The activation that some networks of KerasHub compute in place of the exact "gelu".
_APPROXIMATE = "gelu_approximate"


@dataclass(frozen=True)
class TextSource:
    """A network of token ids, with what it was trained with."""

    # What Keras needs to build the network; its outputs are the vectors of the tokens.
    config: dict[str, Any]
    # None where they are to be read from the path of the backbone.
    weights: list[NDArray[Any]] | None
    tokenizer: Tokenizer
    pooling: str
    max_length: int

    def build_network(self, *, modality: str) -> keras.Model:
        """Return a new network with the weights."""
        import_keras_hub()
        # The initial weights are replaced.
        with seeded_layers(0):
            network: keras.Model = load_object(self.config, where=f"The network of {modality!r}")
        if self.weights is None:
            msg = f"The network of {modality!r} has no weights."
            raise WeightsUnavailableError(msg)
        shapes = [tuple(weight.shape) for weight in network.weights]
        if [weight.shape for weight in self.weights] != shapes:
            msg = (
                f"The weights for {modality!r} are those of another network than its backbone. "
                "Pass weights=... of the network that the encoder was made with."
            )
            raise WeightsUnavailableError(msg)
        network.set_weights(self.weights)
        # The backbone decides which layers are frozen. TensorFlow ignores an attribute that is set
        # to the value that it has, so this takes two steps.
        network.trainable = False
        network.trainable = True
        return network

    def get_state(self) -> dict[str, Any]:
        """Return all but the weights, for a saved file."""
        return {
            "network": json.dumps(self.config),
            "tokenizer": self.tokenizer.get_state(),
            "pooling": self.pooling,
            "max_length": self.max_length,
        }

    @classmethod
    def from_state(
        cls, state: Mapping[str, Any], weights: list[NDArray[Any]] | None, *, modality: str
    ) -> TextSource:
        """Return a source from what `get_state` returned, without reading any other file."""
        import_keras_hub()
        where = f"The network of {modality!r}"
        config = json.loads(state["network"])
        n_known = None if weights is None else sum(weight.size for weight in weights)
        limit = _MAX_ABSENT_WEIGHTS if n_known is None else n_known
        check_model_sizes(config, n_available=limit, where=where)
        return cls(
            config=config,
            weights=weights,
            tokenizer=_restore_tokenizer(state["tokenizer"], modality=modality),
            pooling=str(state["pooling"]),
            max_length=int(state["max_length"]),
        )


def read_source(backbone: Any, tokenizer: Any, *, modality: str) -> TextSource:
    """Return the parts of a text encoder from the arguments of its constructor."""
    if isinstance(backbone, keras.Model):
        network, path = backbone, None
    else:
        path = os.fspath(backbone)
        network = load_hub_backbone(path, modality=modality)
    details = (None if path is None else read_json_file(path, "config.json")) or {}
    used = _tokens_only(network, modality)
    _check_padding(used, modality)
    config = keras.saving.serialize_keras_object(used)
    config["config"]["name"] = _layer_name(network.name if path is None else Path(path).name)
    known = read_tokenizer(path if tokenizer is None else tokenizer, modality=modality)
    return TextSource(
        config=_as_trained(config, used, details),
        weights=used.get_weights(),
        tokenizer=known,
        pooling=_read_pooling(path, modality) if path is not None else "mean",
        max_length=_find_max_length(network, path, known),
    )


def read_tokenizer(given: Any, *, modality: str) -> Tokenizer:
    """Return a tokenizer from an object, a file, a folder, a preset or the text of a file."""
    if given is None:
        msg = (
            f"A backbone object needs its tokenizer: pass tokenizer=... to the encoder {modality!r}"
            ", the path of a tokenizer.json, a tokenizers.Tokenizer or a tokenizer of KerasHub."
        )
        raise ModalityError(msg)
    if is_json_tokenizer(given):
        return JsonTokenizer(given.to_str())
    if not isinstance(given, str | os.PathLike):
        if not isinstance(given, import_keras_hub().models.Tokenizer):
            msg = (
                "tokenizer must be the path of a tokenizer.json or of a folder with one, a "
                f"tokenizers.Tokenizer or a tokenizer of KerasHub. Received {given!r:.200}."
            )
            raise ModalityError(msg)
        return HubTokenizer(given)
    text = os.fspath(given)
    if text.lstrip().startswith("{"):
        return JsonTokenizer(text)
    path = Path(text) if Path(text).is_file() else find_file(text, "tokenizer.json")
    document = None if path is None else path.read_text(encoding="utf-8")
    # KerasHub gives a file of its own the same name.
    if document is not None and "registered_name" not in json.loads(document):
        return JsonTokenizer(document)
    try:
        return HubTokenizer(import_keras_hub().models.Tokenizer.from_preset(text))
    except Exception as error:
        # KerasHub and the libraries for downloads raise errors of many types.
        msg = (
            f"There is no tokenizer for {modality!r} in {text!r}: {str(error)[:300]} Add "
            "tokenizer.json, or pass tokenizer=... to the encoder."
        )
        raise WeightsUnavailableError(msg) from error


def _tokens_only(network: keras.Model, modality: str) -> keras.Model:
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


def _check_padding(network: keras.Model, modality: str) -> None:
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


def _as_trained(
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


def _layer_name(label: str) -> str:
    """Return a name with an underscore in place of what no name of a layer may hold."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", label).strip("._-") or "text"


def _read_pooling(path: str, modality: str) -> str:
    """Return the pooling that a folder of sentence-transformers names, by default the mean."""
    modes = {
        "pooling_mode_mean_tokens": "mean",
        "pooling_mode_cls_token": "cls",
        "pooling_mode_max_tokens": "max",
        "pooling_mode_lasttoken": "last",
    }
    found = read_json_file(path, "1_Pooling/config.json") or {"pooling_mode_mean_tokens": True}
    chosen = [mode for mode, is_on in found.items() if mode.startswith("pooling_mode") and is_on]
    if len(chosen) != 1 or chosen[0] not in modes:
        msg = (
            f"The backbone of {modality!r} was trained with the pooling {chosen}. Choose one of "
            f"{', '.join(map(repr, POOLINGS))} with pooling=..."
        )
        raise ModalityError(msg)
    return modes[chosen[0]]


def _find_max_length(network: keras.Model, path: str | None, tokenizer: Tokenizer) -> int:
    """Return the length of texts that a model was trained with, but not more than it can take."""
    details = None if path is None else read_json_file(path, "sentence_bert_config.json")
    known: Sequence[Any] = [
        (details or {}).get("max_seq_length"),
        tokenizer.max_length,
        _MAX_LENGTH,
    ]
    wanted = next(int(length) for length in known if length)
    return min(wanted, int(getattr(network, "max_sequence_length", None) or wanted))


def _restore_tokenizer(state: Mapping[str, Any], *, modality: str) -> Tokenizer:
    if "json" in state:
        return JsonTokenizer(state["json"])
    return HubTokenizer.from_state(state, where=f"The tokenizer of {modality!r}")
