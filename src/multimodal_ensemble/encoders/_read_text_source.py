"""Reading the network and the tokenizer of a text encoder from folders, presets and objects."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import keras
from numpy.typing import NDArray

from multimodal_ensemble.encoders._hub_tokenizer import HubTokenizer
from multimodal_ensemble.encoders._json_tokenizer import JsonTokenizer, is_json_tokenizer
from multimodal_ensemble.encoders._keras_hub import (
    find_file,
    import_keras_hub,
    load_hub_backbone,
    read_json,
    read_json_file,
)
from multimodal_ensemble.encoders._text_network import (
    as_trained,
    check_padding,
    layer_name,
    tokens_only,
)
from multimodal_ensemble.encoders._text_source import POOLINGS, TextSource, Tokenizer
from multimodal_ensemble.exceptions import ModalityError, WeightsUnavailableError

# Where neither a file nor the network limits the length of texts.
_MAX_LENGTH = 512


def read_source(backbone: Any, tokenizer: Any, *, modality: str) -> TextSource:
    """Return the parts of a text encoder from the arguments of its constructor."""
    path = None if isinstance(backbone, keras.Model) else os.fspath(backbone)
    network = backbone if path is None else load_hub_backbone(path, modality=modality)
    limit = getattr(network, "max_sequence_length", None)
    details = (None if path is None else read_json_file(path, "config.json")) or {}
    used = tokens_only(network, modality)
    check_padding(used, modality)
    config = keras.saving.serialize_keras_object(used)
    config["config"]["name"] = layer_name(network.name if path is None else Path(path).name)
    known = read_tokenizer(path if tokenizer is None else tokenizer, modality=modality)
    n_tokens = getattr(network, "vocabulary_size", None)
    if n_tokens is not None and known.largest_id >= n_tokens:
        msg = (
            f"The tokenizer of {modality!r} has ids up to {known.largest_id}, and its backbone "
            f"knows {n_tokens} tokens. Pass the tokenizer that the backbone was trained with."
        )
        raise ModalityError(msg)
    return TextSource(
        config=as_trained(config, used, details),
        weights=used.get_weights(),
        tokenizer=known,
        pooling=_read_pooling(path, modality) if path is not None else "mean",
        max_length=_find_max_length(limit, path, known),
        limit=None if limit is None else int(limit),
    )


def read_weights(source: str | os.PathLike[str], *, modality: str) -> list[NDArray[Any]]:
    """Return the weights in a folder or preset, which need not have a tokenizer."""
    weights: list[NDArray[Any]] = tokens_only(
        load_hub_backbone(source, modality=modality), modality
    ).get_weights()
    return weights


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
    try:
        # KerasHub gives a file of its own the same name.
        if path is not None and "registered_name" not in read_json(path):
            return JsonTokenizer(path.read_text(encoding="utf-8"))
        return HubTokenizer(import_keras_hub().models.Tokenizer.from_preset(text))
    except ImportError:
        raise
    except Exception as error:
        # KerasHub, tokenizers and the libraries for downloads raise errors of many types.
        msg = (
            f"There is no tokenizer for {modality!r} in {text!r}: {str(error)[:300]} Add "
            "tokenizer.json, or pass tokenizer=... to the encoder."
        )
        raise WeightsUnavailableError(msg) from error


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


def _find_max_length(limit: Any, path: str | None, tokenizer: Tokenizer) -> int:
    """Return the length of texts that a model was trained with, but not more than it can take."""
    details = None if path is None else read_json_file(path, "sentence_bert_config.json")
    named = (details or {}).get("max_seq_length")
    known = [named if isinstance(named, int) else None, tokenizer.max_length, _MAX_LENGTH]
    wanted = next(length for length in known if length)
    return min(wanted, int(limit or wanted))
