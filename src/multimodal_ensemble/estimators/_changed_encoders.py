"""Encoders in a saved file whose classes have changed since it was written."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import keras
from numpy.typing import NDArray

from multimodal_ensemble._digest import digest_arrays
from multimodal_ensemble.encoders import Encoder
from multimodal_ensemble.estimators._saved_computation import (
    find_changed_encoding,
    is_network_changed,
)
from multimodal_ensemble.exceptions import ArtefactError, WeightsUnavailableError
from multimodal_ensemble.saving import unpack_state

Arrays = Mapping[str, NDArray[Any]]

_MAX_REASON = 500


def check_arguments(
    entry: Mapping[str, Any], kind: type[Encoder], config: Mapping[str, Any]
) -> None:
    """Refuse arguments that the class lacks, which `from_config` would ignore."""
    inherited: Any = Encoder.from_config
    if getattr(kind.from_config, "__func__", None) is not inherited.__func__:
        # The class reads its configurations itself.
        return
    if unknown := sorted(set(config) - set(inspect.signature(kind).parameters)):
        raise _changed(entry, kind, f"its constructor has no argument {', '.join(unknown):.200}")


@contextmanager
def explaining_change(entry: Mapping[str, Any], kind: type[Encoder]) -> Iterator[None]:
    """Say which encoder cannot be restored; its class may have changed."""
    try:
        yield
    except (ArtefactError, WeightsUnavailableError, MemoryError):
        raise
    except Exception as error:
        msg = (
            f"The encoder {entry['name']!r} cannot be restored from the file "
            f"({type(error).__name__}: {str(error)[:_MAX_REASON]}). The file is damaged, or its "
            f"class has changed: {_advise(kind)}"
        )
        raise ArtefactError(msg) from error


def check_unchanged(entry: Mapping[str, Any], arrays: Arrays, encoder: Encoder) -> None:
    """Raise an ArtefactError if an encoder does not compute what the saved one did."""
    found, saved = digest_backbone(encoder.get_backbone()), entry["backbone_sha256"]
    if found != saved and None not in (found, saved):
        msg = (
            f"The backbone of {encoder.name!r} has other weights than it was trained with: "
            f"SHA-256 {found} instead of {saved}. Get the original weights, "
            f"and pass weights={{{encoder.name!r}: path}}."
        )
        raise ArtefactError(msg)
    change: str | None
    if found != saved:
        change = f"it has {'no' if found is None else 'a'} backbone now"
    else:
        change = find_change(entry, arrays, encoder)
    if change is not None:
        raise _changed(entry, type(encoder), change)


def find_change(entry: Mapping[str, Any], arrays: Arrays, encoder: Encoder) -> str | None:
    """Return what differs from the encoder that was described, apart from weights, or None."""
    if "computation" not in entry:
        # Older files do not have it.
        return None
    saved = unpack_state(entry["computation"], arrays)
    if (change := find_changed_encoding(saved, encoder)) is not None:
        return change
    output = saved["network_output"]
    if output is not None and is_network_changed(output, encoder):
        return "its network returns other features for the same input and weights"
    return None


def _changed(entry: Mapping[str, Any], kind: type[Encoder], change: str) -> ArtefactError:
    return ArtefactError(
        f"The encoder {entry['name']!r} differs from the one that was saved, so that scores would "
        f"also differ: {change}. Its class has changed: {_advise(kind)}"
    )


def _advise(kind: type[Encoder]) -> str:
    return (
        f"load the file with the version of {kind.__name__} that saved it, or train and save the "
        "estimator again."
    )


def digest_backbone(backbone: keras.Model | None) -> str | None:
    """Return a digest of the weights; the configuration varies between versions of Keras."""
    return None if backbone is None else digest_arrays(backbone.get_weights())
