"""A fitted estimator as one file, and back.

The file holds no Keras model. Loading builds the model from the encoders, as training does, and
takes its weights from arrays, so no content of the file decides which code runs.
"""

from __future__ import annotations

import reprlib
from collections.abc import Collection, Mapping
from os import PathLike
from typing import Any

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multimodal_ensemble._keras import using_dtype_policy
from multimodal_ensemble._label_lists import label_array
from multimodal_ensemble._random import seeded_layers
from multimodal_ensemble._target import BINARY, KINDS, MULTILABEL, Target
from multimodal_ensemble._version import __version__
from multimodal_ensemble.estimators._class_calibration import (
    saved_last_layers,
    with_last_layers,
)
from multimodal_ensemble.estimators._class_training import activation_of
from multimodal_ensemble.estimators._decisions import check_divisors
from multimodal_ensemble.estimators._fitted import Fitted
from multimodal_ensemble.estimators._saved_encoders import (
    Weights,
    check_encoders,
    describe_encoder,
    make_encoders,
)
from multimodal_ensemble.estimators._saved_format import FORMAT, VERSION
from multimodal_ensemble.estimators._saved_params import (
    check_numbers,
    describe_params,
    read_params,
)
from multimodal_ensemble.estimators._saved_sizes import check_member_sizes, check_sizes
from multimodal_ensemble.estimators._thresholds import given_thresholds
from multimodal_ensemble.estimators._training import FUSION_OPTIONS
from multimodal_ensemble.exceptions import ArtefactError, WeightsUnavailableError
from multimodal_ensemble.fusion import MemberLayout, fuse_encoders, fuse_late, fusion_parts
from multimodal_ensemble.saving import (
    ArrayReader,
    pack_state,
    read_archive,
    unpack_state,
    write_archive,
)

_MAX_REASON = 500


def save_artefact(
    path: str | PathLike[str],
    params: Mapping[str, Any],
    fitted: Fitted,
    *,
    kind: str,
    include_backbones: bool,
) -> None:
    """Write the parameters and the fitted value of an estimator to one file."""
    arrays: dict[str, NDArray[Any]] = {}
    encoders = [
        describe_encoder(encoder, number, arrays, include_backbones=include_backbones)
        for number, encoder in enumerate(fitted.encoders)
    ]
    names = fitted.feature_names_in
    document = {
        "format": FORMAT,
        "format_version": VERSION,
        "library_version": __version__,
        "estimator": kind,
        "classes": pack_state(fitted.classes.tolist(), arrays, "classes"),
        "target_type": fitted.target_type,
        "thresholds": pack_state(fitted.thresholds.tolist(), arrays, "thresholds"),
        "encoders": encoders,
        "weights": {
            layer.name: pack_state(
                [*map(np.asarray, layer.get_weights())], arrays, f"weights/{layer.name}"
            )
            for layer in _trained_layers(fitted.model)
        },
        "params": pack_state(describe_params(params, fitted), arrays, "params"),
        "history": pack_state(
            {name: column.to_numpy() for name, column in fitted.history.items()}, arrays, "history"
        ),
        "provenance": pack_state(fitted.provenance, arrays, "provenance"),
        "dtype_policy": fitted.model.dtype_policy.name,
        "members": None
        if fitted.members is None
        else [member.get_config() for member in fitted.members],
        "n_features_in": fitted.n_features_in,
        "feature_names_in": None if names is None else names.tolist(),
    }
    write_archive(path, document, arrays)


def load_artefact(
    path: str | PathLike[str], *, kind: str, known_params: Collection[str], weights: Weights
) -> tuple[dict[str, Any], Fitted]:
    """Return the parameters, without the encoders, and the fitted value from a saved file.

    `weights` are weights files by modality, for backbones that are not in the file.
    """
    document, arrays = read_archive(path, format_name=FORMAT, max_version=VERSION)
    # All initial weights are replaced, so they need not change the caller's generator.
    with arrays, seeded_layers(0):
        try:
            _check_kind(document["estimator"], kind)
            if ("members" in known_params) != (document["members"] is not None):
                msg = f"The file of a {kind} must have members if and only if it is an ensemble."
                raise ArtefactError(msg)
            params = unpack_state(document["params"], arrays)
            params = read_params(params, known_params, n_available=arrays.n_bytes)
            return params, _read_fitted(document, arrays, params, weights)
        except (ArtefactError, WeightsUnavailableError, MemoryError):
            raise
        except Exception as error:
            # Something is absent, or has another type or shape than when it is written.
            msg = (
                f"The file {str(path)!r} cannot be loaded: its parts do not fit together "
                f"({type(error).__name__}: {str(error)[:_MAX_REASON]}). Save it again; it was "
                f"written by version {reprlib.repr(document.get('library_version'))}, and this is "
                f"{__version__}."
            )
            raise ArtefactError(msg) from error


def read_kind(path: str | PathLike[str]) -> str:
    """Return the name of the class of a saved estimator, as the file gives it."""
    document, arrays = read_archive(path, format_name=FORMAT, max_version=VERSION)
    with arrays:
        return str(document.get("estimator"))


def _read_fitted(
    document: dict[str, Any], arrays: ArrayReader, params: Mapping[str, Any], weights: Weights
) -> Fitted:
    labels = unpack_state(document["classes"], arrays)
    if not isinstance(labels, list) or not all(isinstance(x, str | int | float) for x in labels):
        msg = "The labels in the file are not a list of names or numbers."
        raise ArtefactError(msg)
    # Files without it were written before there were others.
    target = Target(document.get("target_type", MULTILABEL), label_array(labels))
    is_pair = target.is_single and len(labels) == 2
    if target.kind not in KINDS or (target.kind == BINARY) != is_pair:
        msg = f"The file has no target of type {target.kind!r:.50} with {len(labels)} classes."
        raise ArtefactError(msg)
    n_labels = len(target.labels)
    names = [entry["name"] for entry in document["encoders"]]
    if unknown := [name for name in weights if name not in names]:
        msg = f"weights names {unknown}; the file has {names}."
        raise ArtefactError(msg)
    check_encoders(document["encoders"], n_available=arrays.n_bytes)
    encoders = make_encoders(document["encoders"], arrays, weights)
    saved = {name: unpack_state(packed, arrays) for name, packed in document["weights"].items()}
    described = document["members"]
    members = None if described is None else [*map(MemberLayout.from_config, described)]
    with using_dtype_policy(document["dtype_policy"]):
        if members is None:
            options = {name: params[name] for name in FUSION_OPTIONS}
            check_sizes(encoders, n_labels, saved, fusion=params["fusion"])
            # With the seed of the training, further training is repeatable.
            options["activation"] = activation_of(target)
            model = fuse_encoders(encoders, n_labels, seed=params["random_state"], **options)
        else:
            radial = check_member_sizes(encoders, members, n_labels, saved)
            model = fuse_late(encoders, members, n_labels, radial=radial)
        layers = saved_last_layers(saved, target, are_probabilities=members is None)
        model = with_last_layers(model, layers)
    _set_weights(model, saved)
    columns = document["feature_names_in"]
    thresholds = check_numbers(unpack_state(document["thresholds"], arrays), "thresholds")
    return Fitted(
        classes=target.classes,
        target_type=target.kind,
        encoders=encoders,
        model=model,
        thresholds=check_divisors(given_thresholds(thresholds, target.labels), target),
        history=pd.DataFrame(unpack_state(document["history"], arrays)),
        provenance=unpack_state(document["provenance"], arrays),
        n_features_in=document["n_features_in"],
        feature_names_in=None if columns is None else np.array(columns, dtype=object),
        members=members,
    )


def _check_kind(saved: Any, wanted: str) -> None:
    if saved != wanted:
        msg = (
            f"The file holds a {reprlib.repr(saved)}, not a {wanted}. Load it with the method "
            "load of its own class."
        )
        raise ArtefactError(msg)


def _trained_layers(model: keras.Model) -> list[keras.Layer]:
    """Return the layers with weights, apart from the backbones, which the encoders save."""
    backbones = {id(parts.backbone) for parts in fusion_parts(model).values()}
    return [layer for layer in model.layers if layer.weights and id(layer) not in backbones]


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
