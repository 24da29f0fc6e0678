"""Parameters of encoders by name, as scikit-learn has them: ``poster__head__dropout``."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from typing import Any

from sklearn.base import clone

from multimodal_ensemble.encoders import Encoder


def encoder_params(encoders: Any, reserved: Collection[str]) -> dict[str, Any]:
    """Return each encoder by its name, and its parameters as ``<name>__<parameter>``.

    Encoders with one of the `reserved` names, the estimator's own parameters, are left out.
    """
    params: dict[str, Any] = {}
    for name, encoder in _by_name(encoders, reserved).items():
        params[name] = encoder
        params |= {f"{name}__{key}": value for key, value in encoder.get_params().items()}
    return params


def change_encoders(
    encoders: Any, changes: Mapping[str, Any], reserved: Collection[str]
) -> list[Encoder]:
    """Return the encoders with some of them, or some of their parameters, replaced.

    The given encoders stay as they are: a changed one is a copy.
    """
    named = _by_name(encoders, reserved)
    nested: dict[str, dict[str, Any]] = {}
    replaced: dict[str, Encoder] = {}
    for key, value in changes.items():
        # An encoder's name may hold two underscores itself, so the longest match counts.
        matching = [name for name in named if key == name or key.startswith(f"{name}__")]
        if not matching:
            raise ValueError(_describe_unknown(key, encoders, reserved))
        name = max(matching, key=len)
        if key != name:
            nested.setdefault(name, {})[key.removeprefix(f"{name}__")] = value
        elif isinstance(value, Encoder) and value.name == name:
            replaced[name] = value
        else:
            received = f"one named {value.name!r}" if isinstance(value, Encoder) else repr(value)
            msg = (
                f"{name!r} can be replaced only by another encoder of the same name. Received "
                f"{received}; pass encoders=[...] to change the modalities."
            )
            raise ValueError(msg)
    changed = []
    for encoder in [encoders] if isinstance(encoders, Encoder) else encoders:
        new = replaced.get(encoder.name, encoder)
        own = nested.get(encoder.name)
        changed.append(clone(new).set_params(**own) if own else new)
    return changed


def _by_name(encoders: Any, reserved: Collection[str]) -> dict[str, Encoder]:
    if isinstance(encoders, Encoder):
        encoders = [encoders]
    if not isinstance(encoders, list | tuple):
        return {}
    return {
        encoder.name: encoder
        for encoder in encoders
        if isinstance(encoder, Encoder) and encoder.name not in reserved
    }


def _describe_unknown(key: str, encoders: Any, reserved: Collection[str]) -> str:
    valid = [*sorted(reserved), *encoder_params(encoders, reserved)]
    close = difflib.get_close_matches(key, valid, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    msg = f"Invalid parameter {key!r}.{hint} Valid parameters are {valid}."
    if isinstance(encoders, str):
        msg += (
            f" With encoders={encoders!r}, fit chooses the encoders, so they have no parameters "
            "before. Pass encoders=infer_encoders(X) to set their parameters."
        )
    return msg
