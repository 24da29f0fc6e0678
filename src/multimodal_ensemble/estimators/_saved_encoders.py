"""The encoders in a saved file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

import keras
from numpy.typing import NDArray

from multimodal_ensemble._keras import using_dtype_policy
from multimodal_ensemble._random import seeded_layers
from multimodal_ensemble.encoders import Encoder
from multimodal_ensemble.estimators._changed_encoders import (
    Arrays,
    check_arguments,
    check_unchanged,
    digest_backbone,
    explaining_change,
    find_change,
)
from multimodal_ensemble.estimators._saved_computation import describe_computation
from multimodal_ensemble.exceptions import ArtefactError, WeightsUnavailableError
from multimodal_ensemble.saving import (
    MAX_ABSENT_WEIGHTS,
    check_config,
    check_model_sizes,
    pack_state,
    unpack_state,
    without_compilation,
)

Weights = Mapping[str, str | PathLike[str]]


def describe_encoder(
    encoder: Encoder, number: int, arrays: dict[str, NDArray[Any]], *, include_backbones: bool
) -> dict[str, Any]:
    """Return an encoder as JSON values, and add its arrays to `arrays`."""
    kind = type(encoder)
    registered = keras.saving.get_registered_name(kind)
    if keras.saving.get_registered_object(registered) is not kind:
        msg = (
            f"The encoder {encoder.name!r} cannot be saved: its class {kind.__name__} is not "
            "registered. Decorate it with @keras.saving.register_keras_serializable(package=...)."
        )
        raise TypeError(msg)
    try:
        config = encoder.get_config()
    except TypeError as error:
        msg = (
            f"The encoder {encoder.name!r} cannot be saved: one of its arguments, such as a head, "
            "cannot be described. Register its class or function with @keras.saving."
            "register_keras_serializable(package=...); a class also needs get_config. "
            f"Keras reports: {error}"
        )
        raise TypeError(msg) from error
    check_loadable(config, f"The encoder {encoder.name!r}")
    state = encoder.get_state()
    backbone = encoder.get_backbone()
    if encoder.has_named_weights and include_backbones and backbone is not None:
        state["backbone_weights"] = backbone.get_weights()
    entry = {
        "class": registered,
        "name": encoder.name,
        "config": config,
        "state": pack_state(state, arrays, f"encoders/{number}"),
        # Networks of keras.applications, and the layers around a network, take the current policy.
        "dtype_policy": None if backbone is None else backbone.dtype_policy.name,
        "backbone_sha256": digest_backbone(backbone),
        "computation": pack_state(
            describe_computation(encoder), arrays, f"encoders/{number}/computation"
        ),
    }
    if not encoder.has_named_weights:
        _check_restorable(entry, arrays)
    return entry


def _check_restorable(entry: Mapping[str, Any], arrays: Arrays) -> None:
    """Raise a TypeError unless the entry of an encoder restores it."""
    try:
        with using_dtype_policy(entry["dtype_policy"] or "float32"), seeded_layers(0):
            copy, _ = _make_encoder(entry, arrays, {})
            found = digest_backbone(copy.get_backbone())
            change = find_change(entry, arrays, copy)
    except MemoryError:
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
    else:
        if found != entry["backbone_sha256"]:
            reason = (
                "a copy with the same configuration and state has a backbone with other weights. "
                "get_state must return all weights, and set_state must set them"
            )
        elif change is not None:
            reason = f"in a copy with the same configuration and state, {change}"
        else:
            return
    msg = (
        f"The encoder {entry['name']!r} cannot be saved, because it could not be restored: "
        f"{reason}. Its constructor's arguments and get_state must determine how it encodes and "
        "the layers of its backbone."
    )
    raise TypeError(msg)


def check_loadable(config: Any, where: str) -> None:
    """Raise a TypeError if the configuration of a Keras object could not be loaded again."""
    try:
        check_config(config, where=where)
    except ArtefactError as error:
        msg = f"{where} cannot be saved, because loading it would fail: {error}"
        raise TypeError(msg) from error


def check_encoders(entries: Sequence[Mapping[str, Any]], *, n_available: int) -> None:
    """Check the encoders in a file of so many bytes before any of them is made."""
    for entry in entries:
        check_config(entry["config"], where=f"The encoder {entry['name']!r}")
    configs = [entry["config"] for entry in entries]
    check_model_sizes(configs, n_available=n_available, where="The encoders")


def make_encoders(
    entries: Sequence[Mapping[str, Any]], arrays: Arrays, weights: Weights
) -> list[Encoder]:
    """Return the encoders that `describe_encoder` received, with their backbones built."""
    encoders: list[Encoder] = []
    n_absent = 0
    for entry in entries:
        if n_absent > MAX_ABSENT_WEIGHTS:
            msg = (
                f"The file names backbones of more than {MAX_ABSENT_WEIGHTS:,} weights that it "
                "does not hold. Save it with include_backbones=True."
            )
            raise ArtefactError(msg)
        with using_dtype_policy(entry["dtype_policy"] or "float32"):
            encoder, has_weights = _make_encoder(entry, arrays, weights)
            check_unchanged(entry, arrays, encoder)
        backbone = encoder.get_backbone()
        n_absent += 0 if backbone is None or has_weights else backbone.count_params()
        encoders.append(encoder)
    return encoders


def _make_encoder(
    entry: Mapping[str, Any], arrays: Arrays, weights: Weights
) -> tuple[Encoder, bool]:
    """Return an encoder, and whether the file holds the weights of its backbone."""
    name, registered = entry["name"], entry["class"]
    config = without_compilation(entry["config"])
    kind = keras.saving.get_registered_object(registered) if isinstance(registered, str) else None
    if not isinstance(kind, type) or not issubclass(kind, Encoder):
        msg = (
            f"The encoder {name!r} is a {registered!r}, which is not registered here. Import the "
            "package that defines it first."
        )
        raise ArtefactError(msg)
    if name in weights:
        config["weights"] = str(weights[name])
    state = unpack_state(entry["state"], arrays)
    if name not in weights and "backbone_weights" not in state:
        _refuse_downloads(name, config)
    check_arguments(entry, kind, config)
    with explaining_change(entry, kind):
        encoder = kind.from_config(config)
    arguments = encoder.get_params(deep=False)
    if taken := [
        key for key in state if key.startswith("_") or key in arguments or hasattr(kind, key)
    ]:
        msg = f"The encoder {name!r} has a state {taken} that would replace parts of its class."
        raise ArtefactError(msg)
    with explaining_change(entry, kind):
        encoder.set_state(state)
    if encoder.name != name:
        msg = f"The encoder {name!r} is named {encoder.name!r} in its configuration."
        raise ArtefactError(msg)
    try:
        encoder.get_backbone()
    except WeightsUnavailableError as error:
        msg = (
            f"{error} The file was saved with include_backbones=False; to load it here, pass "
            f"weights={{{name!r}: path}}."
        )
        raise WeightsUnavailableError(msg) from None
    return encoder, "backbone_weights" in state


def _refuse_downloads(name: str, config: Mapping[str, Any]) -> None:
    """Refuse addresses in a file, such as those of KerasHub: anybody may have put files there."""
    for option in ("backbone", "weights"):
        if "://" in str(value := config.get(option)):
            msg = (
                f"The encoder {name!r} has {option}={value!r}, which load does not download, "
                f"because the file may come from anybody. Pass weights={{{name!r}: path}}, or save "
                "the model with include_backbones=True."
            )
            raise WeightsUnavailableError(msg)
