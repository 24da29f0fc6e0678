"""A fitted classifier as one file, and back.

The file holds no Keras model: that is built again from the encoders, as in training, and gets its
weights from arrays. So nothing in the file decides what code runs.
"""

from __future__ import annotations

import hashlib
import reprlib
from collections.abc import Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multimodal_ensemble._version import __version__
from multimodal_ensemble.encoders import BagOfWordsEncoder, Encoder
from multimodal_ensemble.estimators._thresholds import given_thresholds, is_criterion
from multimodal_ensemble.exceptions import ArtefactError, WeightsUnavailableError
from multimodal_ensemble.fusion import fuse_encoders, fusion_parts
from multimodal_ensemble.saving import (
    Arrays,
    check_config,
    load_object,
    pack_state as pack,
    read_archive,
    unpack_state as unpack,
    write_archive,
)

if TYPE_CHECKING:
    from multimodal_ensemble.estimators._multimodal_classifier import MultimodalClassifier

FORMAT = "multimodal_ensemble classifier"
VERSION = 1

_WRITTEN_OTHERWISE = {"threshold", "label_weight", "optimizer", "loss", "random_state"}
# Of the machine that trained, or written in another way.
_NOT_KEPT = {"encoders", "store"} | _WRITTEN_OTHERWISE
_MAX_REASON = 500


def save_classifier(
    classifier: MultimodalClassifier, path: str | PathLike[str], *, include_backbones: bool
) -> None:
    """Write a fitted classifier to one file."""
    arrays: dict[str, NDArray[Any]] = {}
    encoders = [
        _describe_encoder(encoder, number, arrays, include_backbones=include_backbones)
        for number, encoder in enumerate(classifier.encoders_)
    ]
    document = {
        "format": FORMAT,
        "format_version": VERSION,
        "library_version": __version__,
        "classes": pack(classifier.classes_.tolist(), arrays, "classes"),
        "thresholds": pack(classifier.thresholds_.tolist(), arrays, "thresholds"),
        "inputs": [
            {"name": tensor.name, "shape": list(tensor.shape[1:]), "dtype": str(tensor.dtype)}
            for tensor in classifier.model_.inputs
        ],
        "encoders": encoders,
        "weights": {
            layer.name: pack(_weights(layer), arrays, f"weights/{layer.name}")
            for layer in _trained_layers(classifier.model_)
        },
        "params": pack(_describe_params(classifier), arrays, "params"),
        "history": pack(
            {name: column.to_numpy() for name, column in classifier.history_.items()},
            arrays,
            "history",
        ),
        "provenance": pack(classifier.provenance_, arrays, "provenance"),
        "n_features_in": classifier.n_features_in_,
        "feature_names_in": (
            classifier.feature_names_in_.tolist()
            if hasattr(classifier, "feature_names_in_")
            else None
        ),
    }
    write_archive(path, document, arrays)


def load_classifier(
    cls: type[MultimodalClassifier],
    path: str | PathLike[str],
    *,
    weights: Mapping[str, str | PathLike[str]],
) -> Any:
    """Return a classifier from a file that `save_classifier` wrote."""
    document, arrays = read_archive(path, format_name=FORMAT, max_version=VERSION)
    with arrays:
        try:
            return _make_classifier(cls, document, arrays, weights)
        except (ArtefactError, WeightsUnavailableError, MemoryError):
            raise
        except Exception as error:
            # Whatever is missing, of another type or shape than it is written with.
            msg = (
                f"The file {str(path)!r} cannot be loaded: its parts do not fit together "
                f"({type(error).__name__}: {str(error)[:_MAX_REASON]}). Save it again; it was "
                f"written by version {reprlib.repr(document.get('library_version'))}, and this is "
                f"{__version__}."
            )
            raise ArtefactError(msg) from error


def _make_classifier(
    cls: type[MultimodalClassifier],
    document: dict[str, Any],
    arrays: Arrays,
    weights: Mapping[str, str | PathLike[str]],
) -> MultimodalClassifier:
    classes = _make_classes(unpack(document["classes"], arrays))
    names = [entry["name"] for entry in document["encoders"]]
    if unknown := [name for name in weights if name not in names]:
        msg = f"weights names {unknown}; the file has {names}."
        raise ArtefactError(msg)
    encoders = [_make_encoder(entry, arrays, weights) for entry in document["encoders"]]
    saved = {name: unpack(packed, arrays) for name, packed in document["weights"].items()}
    params = _make_params(cls, unpack(document["params"], arrays))
    _check_sizes(encoders, len(classes), saved)
    classifier = cls([*encoders], **params)
    model = fuse_encoders(
        encoders,
        len(classes),
        dropout=classifier.dropout,
        modality_dropout=classifier.modality_dropout,
    )
    for entry, encoder in zip(document["encoders"], encoders, strict=True):
        _check_backbone(entry, encoder)
    _set_weights(model, saved)
    thresholds = given_thresholds(unpack(document["thresholds"], arrays), classes)
    classifier.classes_ = classes
    classifier.encoders_ = encoders
    classifier.model_ = model
    classifier.history_ = pd.DataFrame(unpack(document["history"], arrays))
    classifier.provenance_ = unpack(document["provenance"], arrays)
    classifier.n_features_in_ = document["n_features_in"]
    if document["feature_names_in"] is not None:
        classifier.feature_names_in_ = np.array(document["feature_names_in"], dtype=object)
    classifier.thresholds_ = thresholds
    return classifier


def _make_classes(labels: Any) -> NDArray[Any]:
    if not isinstance(labels, list) or not all(isinstance(x, str | int | float) for x in labels):
        msg = "The labels in the file are no list of names or numbers."
        raise ArtefactError(msg)
    are_whole = all(isinstance(label, int) for label in labels)
    return np.array(labels) if are_whole else np.array(labels, dtype=object)


# -- encoders --------------------------------------------------------------------------------


def _describe_encoder(
    encoder: Encoder,
    number: int,
    arrays: dict[str, NDArray[Any]],
    *,
    include_backbones: bool,
) -> dict[str, Any]:
    kind = type(encoder)
    registered = keras.saving.get_registered_name(kind)
    if keras.saving.get_registered_object(registered) is not kind:
        msg = (
            f"The encoder {encoder.name!r} cannot be saved: its class {kind.__name__} is not known "
            "by name. Decorate it with @keras.saving.register_keras_serializable(package=...)."
        )
        raise TypeError(msg)
    config = encoder.get_config()
    try:
        check_config(config, where=f"The encoder {encoder.name!r}")
    except ArtefactError as error:
        msg = (
            f"The encoder {encoder.name!r} cannot be saved, because it could not be loaded: {error}"
        )
        raise TypeError(msg) from error
    state = encoder.get_state()
    backbone = encoder.get_backbone()
    if encoder.has_named_weights and include_backbones and backbone is not None:
        state["backbone_weights"] = backbone.get_weights()
    return {
        "class": registered,
        "name": encoder.name,
        "config": config,
        "state": pack(state, arrays, f"encoders/{number}"),
        "backbone_sha256": None if backbone is None else _digest(backbone),
    }


def _make_encoder(
    entry: Mapping[str, Any], arrays: Arrays, weights: Mapping[str, str | PathLike[str]]
) -> Encoder:
    name, registered, config = entry["name"], entry["class"], dict(entry["config"])
    kind = keras.saving.get_registered_object(registered) if isinstance(registered, str) else None
    if not isinstance(kind, type) or not issubclass(kind, Encoder):
        msg = (
            f"The encoder {name!r} is a {registered!r}, which is not known here. Import the "
            "package that defines it first."
        )
        raise ArtefactError(msg)
    check_config(config, where=f"The encoder {name!r}")
    if name in weights:
        config["weights"] = str(weights[name])
    encoder = kind.from_config(config)
    state = unpack(entry["state"], arrays)
    if taken := [key for key in state if key.startswith("_") or hasattr(kind, key)]:
        msg = f"The encoder {name!r} has a state {taken} that would replace parts of its class."
        raise ArtefactError(msg)
    encoder.set_state(state)
    if encoder.name != name:
        msg = f"The encoder {name!r} is called {encoder.name!r} by its configuration."
        raise ArtefactError(msg)
    try:
        encoder.get_backbone()
    except WeightsUnavailableError as error:
        msg = (
            f"{error} The file was saved with include_backbones=False; to load it here, pass "
            f"weights={{{name!r}: 'file.weights.h5'}}."
        )
        raise WeightsUnavailableError(msg) from error
    return encoder


def _check_backbone(entry: Mapping[str, Any], encoder: Encoder) -> None:
    backbone = encoder.get_backbone()
    found = None if backbone is None else _digest(backbone)
    if found != entry["backbone_sha256"]:
        msg = (
            f"The backbone of {encoder.name!r} has other weights than it was trained with: "
            f"SHA-256 {found}, and not {entry['backbone_sha256']}. Get the weights that were used "
            f"then, and pass weights={{{encoder.name!r}: path}}."
        )
        raise ArtefactError(msg)


def _check_sizes(
    encoders: list[Encoder], n_labels: int, saved: Mapping[str, list[NDArray[Any]]]
) -> None:
    """Refuse sizes that no array in the file bears out, before memory is taken for them."""
    widths = [_width(encoder) for encoder in encoders]
    for encoder, units in zip(encoders, widths, strict=True):
        if units is not None:
            _check_kernel(f"{encoder.name}_head", (encoder.feature_shape[0], units), saved)
    known = [units for units in widths if units is not None]
    if len(known) == len(widths):
        _check_kernel("scores", (sum(known), n_labels), saved)


def _width(encoder: Encoder) -> int | None:
    """Return the units of an embedding where they are known without making its layers."""
    units = getattr(encoder, "units", None)
    if isinstance(encoder, BagOfWordsEncoder) and units is None:
        units = max(1, encoder.input_shape[0] // 2)
    return units if isinstance(units, int) and len(encoder.feature_shape) == 1 else None


def _check_kernel(
    name: str, shape: tuple[int, int], saved: Mapping[str, list[NDArray[Any]]]
) -> None:
    if shape not in [array.shape for array in saved.get(name, [])]:
        msg = f"The layer {name!r} has no weights of shape {shape} in the file."
        raise ArtefactError(msg)


def _digest(model: keras.Model) -> str:
    """Return a digest of a model's weights, without its structure, which versions of Keras vary."""
    digest = hashlib.sha256()
    for value in model.get_weights():
        value = np.ascontiguousarray(value)
        digest.update(f"{value.dtype.str}{value.shape}".encode() + value.tobytes())
    return digest.hexdigest()


# -- weights and options ---------------------------------------------------------------------


def _trained_layers(model: keras.Model) -> list[keras.Layer]:
    """Return the layers with weights that the encoders do not have themselves."""
    backbones = [parts.backbone for parts in fusion_parts(model).values()]
    return [
        layer
        for layer in model.layers
        if layer.weights and not any(layer is backbone for backbone in backbones)
    ]


def _weights(layer: keras.Layer) -> list[NDArray[Any]]:
    return [np.asarray(value) for value in layer.get_weights()]


def _set_weights(model: keras.Model, saved: Mapping[str, list[NDArray[Any]]]) -> None:
    layers = {layer.name: layer for layer in _trained_layers(model)}
    if set(layers) != set(saved):
        msg = f"The model has the layers {sorted(layers)}, and the file has {sorted(saved)}."
        raise ArtefactError(msg)
    for name, layer in layers.items():
        wanted = [(value.shape, value.dtype) for value in layer.get_weights()]
        given = [(value.shape, value.dtype) for value in saved[name]]
        if wanted != given:
            msg = f"The layer {name!r} has weights {wanted}, and the file has {given}."
            raise ArtefactError(msg)
        layer.set_weights(saved[name])


def _describe_params(classifier: MultimodalClassifier) -> dict[str, Any]:
    params = classifier.get_params(deep=False)
    described = {name: value for name, value in params.items() if name not in _NOT_KEPT}
    threshold = params["threshold"]
    keeps_threshold = threshold is None or isinstance(threshold, str | int | float)
    # What a callable or a mapping came to.
    described["threshold"] = threshold if keeps_threshold else classifier.thresholds_.tolist()
    described["label_weight"] = _describe_label_weight(classifier)
    for name in ("optimizer", "loss"):
        described[name] = params[name]
        if not isinstance(params[name], str):
            config = keras.saving.serialize_keras_object(params[name])
            try:
                check_config(config, where=name)
            except ArtefactError as error:
                msg = f"{name} cannot be saved, because it could not be loaded: {error}"
                raise TypeError(msg) from error
            described[name] = config
    described["random_state"] = classifier.provenance_["seed"]
    return described


def _describe_label_weight(classifier: MultimodalClassifier) -> Any:
    weight = classifier.label_weight
    if isinstance(weight, Mapping):
        # By name, as `fit` finds them.
        by_name = {str(label): float(value) for label, value in weight.items()}
        return [by_name.get(str(label), 1.0) for label in classifier.classes_.tolist()]
    return weight if weight is None or isinstance(weight, str) else np.asarray(weight).tolist()


def _make_params(cls: type[MultimodalClassifier], params: dict[str, Any]) -> dict[str, Any]:
    # A store, for example, would say where this machine is to write.
    known = (set(cls._get_param_names()) - _NOT_KEPT) | _WRITTEN_OTHERWISE
    if unknown := sorted(set(params) - known):
        msg = f"The file has the options {unknown}, which files do not have."
        raise ArtefactError(msg)
    for name in ("optimizer", "loss"):
        if not isinstance(params[name], str):
            params[name] = load_object(params[name], where=name)
    if not (is_criterion(params["threshold"]) or params["threshold"] is None):
        params["threshold"] = np.asarray(params["threshold"])
    return params
