"""Which training a checkpoint belongs to: all that its result depends on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multimodal_ensemble._digest import digest_arrays
from multimodal_ensemble._encoder_calls import checked_digests, checked_prepare
from multimodal_ensemble._keras import all_layers, without_names
from multimodal_ensemble._table_files import blocks_of
from multimodal_ensemble._warnings import ignored
from multimodal_ensemble.encoders import Encoder, present_values
from multimodal_ensemble.features import model_fingerprint
from multimodal_ensemble.generators import MultimodalDataset
from multimodal_ensemble.saving import pack_state
from multimodal_ensemble.training._describe_object import (
    describe_object,
    is_of_keras,
    own_functions,
)
from multimodal_ensemble.training._training_state import trained_variables

Identity = dict[str, dict[str, Any]]

# Encoded rows that are digested at once.
_ROWS_PER_DIGEST = 256


def identify_training(
    model: keras.Model,
    trained: keras.Model,
    datasets: tuple[MultimodalDataset, MultimodalDataset],
    *,
    optimizer: keras.optimizers.Optimizer,
    loss: Any,
    evaluation: Mapping[str, Any],
) -> Identity:
    """Return everything that must be equal for a training to be resumed, as JSON values.

    `trained` is the part of `model` that is trained, `datasets` are training and validation rows,
    and `evaluation` has the options of the evaluation. The cost is that of reading the rows once:
    vectors are encoded and digested, of images the files are digested without decoding them.
    """
    changing = trained_variables(trained)
    ids = {id(variable) for variable in changing}
    frozen = [weight for weight in model.weights if id(weight) not in ids]
    identity = {
        "model": {
            "inputs": {tensor.name: list(tensor.shape[1:]) for tensor in trained.inputs},
            "variables": [_describe_variable(variable) for variable in changing],
            "frozen weights": _digest(*(weight.numpy() for weight in frozen)),
            "layers": _describe_layers(trained),
            "functions": {
                f"{attribute} of layer {_unnumbered(layer.name)!r}": _digest_text(
                    json.dumps(describe_object(function))
                )
                for layer, attribute, function in own_functions(model)
            },
        },
        "training rows": _describe_rows(datasets[0]),
        "validation rows": _describe_rows(datasets[1]),
        "encoders": {
            f"{name} of {encoder.name!r}": value
            for encoder in datasets[0].encoders
            for name, value in _describe_encoder(encoder, augments=datasets[0].augment).items()
        },
        "optimizer": {"class": type(optimizer).__name__, **_options(optimizer)},
        "loss": _describe_loss(loss),
        # A callable monitor may count its calls, so what it holds does not matter.
        "evaluation": describe_object(evaluation, with_contents=False),
    }
    as_read: Identity = json.loads(json.dumps(identity))
    return as_read


# -- the parts of an identity ----------------------------------------------------------------


def _describe_variable(variable: Any) -> str:
    return f"{_unnumbered(variable.path)} {tuple(variable.shape)} {variable.dtype}"


def _unnumbered(path: str) -> str:
    # Keras numbers unnamed objects through the whole process, so the numbers are removed.
    return re.sub(r"_\d+(?=/|$)", "", path)


def _describe_layers(model: keras.Model) -> dict[str, Any]:
    """Return the configuration of each layer: activations, rates, dtypes, connections."""
    try:
        # Keras warns of unnamed functions in files, and fails where their source is not known.
        with ignored(UserWarning, "The object being serialized includes a `lambda`"):
            config = keras.saving.serialize_keras_object(model)
    except (NotImplementedError, OSError, TypeError, ValueError):
        # A user's layer without a complete `get_config` also trains; only its class is compared.
        return {"classes": [type(layer).__name__ for layer in all_layers(model)]}
    config = _without_code(config)
    entries = config["config"]["layers"]
    layers = {layer.name: layer for layer in model.layers}
    for entry in entries:
        # None is an operation such as an addition, which Keras does not list as a layer.
        layer = layers.get(entry["name"])
        if isinstance(layer, keras.Model) and not layer.trainable_weights:
            # A frozen network can have hundreds of layers.
            frozen = json.dumps(without_names(entry["config"]), sort_keys=True, default=repr)
            entry["config"] = _digest_text(frozen)
    described: dict[str, Any] = {}
    for position, (entry, plain) in enumerate(
        zip(entries, without_names(config)["config"]["layers"], strict=True)
    ):
        name = f"layer {_unnumbered(entry['name'])!r}"
        key = name if name not in described else f"{name} ({position})"
        described[key] = _relevant(describe_object(plain))
    return described


def _without_code(node: Any) -> Any:
    """Leave out the bytes of unnamed functions, which hold the name of a file.

    `own_functions` finds these functions.
    """
    if isinstance(node, dict):
        # Keras writes activations in another way than the functions of Lambda layers.
        value = node.get("value")
        is_activation = isinstance(value, list | tuple) and value and isinstance(value[0], str)
        if node.get("class_name") == "__lambda__" or (is_activation and len(node) == 1):
            return "a function"
        return {key: _without_code(item) for key, item in node.items()}
    return [_without_code(item) for item in node] if isinstance(node, list | tuple) else node


def _describe_rows(dataset: MultimodalDataset) -> dict[str, Any]:
    weight = dataset.sample_weight
    return {
        "number of rows": dataset.n_samples,
        "labels": list(dataset.labels),
        "batch_size": int(dataset.batch_size),
        "seed": int(dataset.seed),
        "shuffle": bool(dataset.shuffle),
        "augment": bool(dataset.augment),
        "features from a store": sorted(dataset.features),
        "features of half precision": [
            name for name, values in sorted(dataset.features.items()) if _is_half_precision(values)
        ],
        "y": _digest(np.asarray(dataset.y)),
        "sample_weight": None if weight is None else _digest(weight),
        # The same seed can produce another order with another version of NumPy's generator.
        "order": _digest(dataset.order_of(0)),
        **{
            f"content of {encoder.name!r}": _digest(*_content(dataset, encoder))
            for encoder in dataset.encoders
        },
    }


def _content(dataset: MultimodalDataset, encoder: Encoder) -> Iterator[NDArray[Any]]:
    """Yield arrays that determine what the model receives of one modality."""
    name = encoder.name
    yield dataset.present(name)
    if len(encoder.input_shape) == 1 and name not in dataset.features:
        for start in range(0, dataset.n_samples, _ROWS_PER_DIGEST):
            rows = np.arange(start, min(start + _ROWS_PER_DIGEST, dataset.n_samples))
            yield dataset.encode_rows(rows, [name])[name]
        return
    # Files are read, but not decoded. Stored features are not digested: the same network may
    # return other last bits in batches of another size.
    raw = dataset.raw
    for part in [raw] if isinstance(raw, pd.DataFrame) else blocks_of(raw):
        values, present = present_values(encoder, encoder.select(part))
        if present.any():
            digests = checked_digests(encoder, checked_prepare(encoder, values))
            yield np.frombuffer(b"".join(digests), dtype=np.uint8)


def _is_half_precision(values: Any) -> bool:
    """Return whether a store has rounded all features to the 11 significant bits of float16."""
    if not isinstance(values, np.ndarray):
        return bool(values.is_half)
    significant = (np.ldexp(np.frexp(row)[0], 11) for row in values)
    return all(np.array_equal(row, np.trunc(row)) for row in significant)


def _describe_encoder(encoder: Encoder, *, augments: bool) -> dict[str, Any]:
    described = {
        "class": type(encoder).__name__,
        **encoder.encoding_config(),
        # `encoder.get_state()` may hold a copy of the backbone's weights.
        **{name: _digest_state(value) for name, value in encoder.fitted_attributes().items()},
    }
    if (frozen := encoder.frozen_part()) is not None:
        # The part of the model that is trained on stored features does not contain it.
        described["frozen layers"] = f"sha256 {model_fingerprint(frozen)}"
    if augments and encoder.augmentation is not None:
        view = encoder.augmentation.view_digests([b""], 0)[0].hex()
        described["augmentation"] = f"{encoder.augmentation.views} views, {view}"
    return described


def _digest_state(value: Any) -> str | None:
    arrays: dict[str, NDArray[Any]] = {}
    try:
        packed = pack_state(value, arrays, "state")
    except (TypeError, ValueError):
        # What a third party's encoder has learned and cannot save. The encoded rows depend on it.
        return None
    prefix = json.dumps(packed, sort_keys=True).encode()
    return f"sha256 {digest_arrays(arrays.values(), prefix=prefix)}"


def _describe_loss(loss: Any) -> dict[str, Any]:
    if isinstance(loss, str):
        return {"name": loss}
    name = getattr(loss, "__name__", type(loss).__name__)
    if isinstance(loss, keras.losses.Loss):
        described = {"name": name, **_options(loss)}
        if not is_of_keras(type(loss)):
            # A class of a user may lack a complete `get_config`.
            of_keras = vars(keras.losses.Loss())
            own = {key: value for key, value in vars(loss).items() if key not in of_keras}
            described["definition"] = describe_object([type(loss).call, own])
        return described
    return {"name": name, "definition": describe_object(loss)}


def _options(part: Any) -> dict[str, Any]:
    options = describe_object(part.get_config())
    # Keras numbers some of these names through the whole process.
    return {name: value for name, value in options.items() if name != "name"}


def _relevant(node: Any) -> Any:
    """Leave out seeds, because the states of all generators are resumed, and names of layers."""
    if isinstance(node, dict):
        return {
            "input" if key == "keras_history" else key: _relevant(value)
            for key, value in node.items()
            if key != "seed" and not (key == "name" and str(value).startswith("#"))
        }
    return [_relevant(value) for value in node] if isinstance(node, list) else node


def _digest(*arrays: NDArray[Any]) -> str:
    return f"sha256 {digest_arrays(arrays)}"


def _digest_text(text: str) -> str:
    return f"sha256 {digest_arrays((), prefix=text.encode())}"
