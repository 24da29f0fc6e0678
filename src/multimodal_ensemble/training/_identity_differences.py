"""Differences between the training of a checkpoint and the one that would resume it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from multimodal_ensemble.exceptions import CheckpointError
from multimodal_ensemble.training._identity import Identity

# How to resolve a difference, by the part of the identity that it is in.
_FIXES = {
    "model": "Build the model as before",
    "training rows": "Make the training data set as before",
    "validation rows": "Make the validation data set as before",
    "encoders": "Fit the encoders as before",
    "optimizer": "Pass the same optimizer",
    "loss": "Pass the same loss and label_weight",
    "evaluation": "Pass the same monitor, evaluate_every and loss_window (without "
    "evaluate_every=, it follows from epochs)",
}
# The number of differences, after the first one, that a message lists.
_MAX_OTHERS = 4
# The keys with which Keras wraps the options of a nested object.
_STRUCTURE = {"config", "name", "module", "class_name", "registered_name"}


def check_same_training(saved: Mapping[str, Any], current: Identity, *, path: Path) -> None:
    """Raise a CheckpointError that names what differs between a checkpoint and a training."""
    found = [
        (part, difference)
        for part, values in current.items()
        for difference in _differences(saved.get(part), values)
    ]
    if not found:
        return
    (part, difference), *others = found
    msg = (
        f"The checkpoint {str(path)!r} belongs to another training. "
        f"{part.capitalize()}: {difference}. {_FIXES[part]}, or start again without resume_from."
    )
    if others:
        listed = [f"{part}: {difference}" for part, difference in others[:_MAX_OTHERS]]
        if len(others) > _MAX_OTHERS:
            listed.append(f"and {len(others) - _MAX_OTHERS} more")
        msg = f"{msg} Other differences: {'; '.join(listed)}."
    raise CheckpointError(msg)


def _differences(before: Any, value: Any, *place: str) -> Iterator[str]:
    """Yield one phrase per difference between a saved value and the present one."""
    if isinstance(value, dict) and (isinstance(before, dict) or not place):
        before = before if isinstance(before, dict) else {}
        common = [name for name in value if name in before]
        found = list(_named_differences(common, before, value, place))
        # Another class has other options, which say no more than its name.
        others = [name for name in value | before if name not in common]
        yield from found or _named_differences(others, before, value, place)
    elif before == value:
        return
    elif place == ("variables",) and isinstance(before, list):
        yield _describe_variables(before, value)
    elif _holds_dicts(value) and isinstance(before, list) and len(before) == len(value):
        for old, new in zip(before, value, strict=True):
            yield from _differences(old, new, *place)
    else:
        yield f"{_describe_place(place)} {_describe_change(before, value)}"


def _named_differences(
    names: Sequence[str], before: dict[str, Any], value: dict[str, Any], place: tuple[str, ...]
) -> Iterator[str]:
    for name in names:
        found = _differences(before.get(name), value.get(name), *place, name)
        # One difference per layer is enough.
        yield from islice(found, 1) if place == ("layers",) else found


def _describe_variables(before: list[Any], value: list[str]) -> str:
    if len(before) != len(value):
        return f"{len(before)} variables are trained in the checkpoint, {len(value)} here"
    pairs = zip(before, value, strict=True)
    old, new = next((old, new) for old, new in pairs if old != new)
    return f"variable {_describe_change(old, new)}"


def _describe_place(place: tuple[str, ...]) -> str:
    top, *inner = place
    if top == "layers" and len(inner) > 1:
        option = next((name for name in reversed(inner[1:]) if name not in _STRUCTURE), "class")
        return f"{option} of {inner[0]}"
    return place[-1]


def _describe_change(before: Any, value: Any) -> str:
    is_digest = isinstance(value, str) and value.startswith("sha256 ")
    is_long = isinstance(value, dict) or _holds_dicts(value) or _holds_dicts(before)
    if is_long and before is None:
        return "is None in the checkpoint"
    if is_digest or is_long:
        return "differs"
    return f"is {_rounded(before)!r} in the checkpoint, {_rounded(value)!r} here"


def _rounded(value: Any) -> Any:
    # A learning rate of 0.001 is 0.0010000000474974513 as a float32.
    return float(f"{value:.7g}") if isinstance(value, float) else value


def _holds_dicts(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(item, dict | list) for item in value)
