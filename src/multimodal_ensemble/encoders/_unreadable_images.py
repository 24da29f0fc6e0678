"""Which images of a modality cannot be read, found once and told once."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import Any

from multimodal_ensemble.exceptions import ImageReadError
from multimodal_ensemble.images import (
    ImageBatch,
    UnreadableImageWarning,
    content_digest,
    source_name,
)

_READ_AT_ONCE = 128


class UnreadableImages:
    """The images that an encoder could not read so far.

    Parameters
    ----------
    modality : str
        Name of the modality, for the warning.
    on_error : str
        The encoder's policy, for the warning.
    """

    def __init__(self, modality: str, on_error: str) -> None:
        self.modality = modality
        self.on_error = on_error
        self.reasons: dict[str, str] = {}
        # By content digest: why an image cannot be decoded, None if it can.
        self._verdicts: dict[bytes, str | None] = {}

    def error(self, value: Any, reason: str, root: str | PathLike[str] | None) -> ImageReadError:
        """Return an error that names the modality and the image, and says what can be done."""
        where = (
            ""
            if root is None or not isinstance(value, str | PathLike)
            else f" (relative paths start at {root})"
        )
        msg = (
            f"Modality {self.modality!r}: the image {source_name(value)!r} cannot be read: "
            f"{reason}{where}. To go on without such images, pass on_error='blank' (black ones in "
            "their place), on_error='drop' (their rows are left out), or on_error='missing' and "
            "optional=True (they count as missing) to the encoder."
        )
        error = ImageReadError(msg)
        error.strerror = reason
        return error

    def find(
        self,
        values: Sequence[Any],
        read: Callable[[Sequence[Any]], ImageBatch],
        root: str | PathLike[str] | None,
    ) -> dict[int, str]:
        """Return position and reason of the images that cannot be read; decodes each once."""
        found: dict[int, str] = {}
        unknown: list[tuple[int, bytes]] = []
        for position, value in enumerate(values):
            try:
                digest = content_digest(value, root=root)
            except ImageReadError as error:
                found[position] = error.strerror or str(error)
                continue
            if digest not in self._verdicts:
                unknown.append((position, digest))
            elif reason := self._verdicts[digest]:
                found[position] = reason
        for start in range(0, len(unknown), _READ_AT_ONCE):
            some = unknown[start : start + _READ_AT_ONCE]
            batch = read([values[position] for position, _ in some])
            reasons = {failure.position: failure.reason for failure in batch.failures}
            for number, (position, digest) in enumerate(some):
                self._verdicts[digest] = reasons.get(number)
                if number in reasons:
                    found[position] = reasons[number]
        self.note(found, values)
        return dict(sorted(found.items()))

    def note(self, found: Mapping[int, str], values: Sequence[Any]) -> None:
        """Keep which images could not be read, and warn of those not known so far."""
        named = {
            _name(values[position], position): reason for position, reason in sorted(found.items())
        }
        new = {name: reason for name, reason in named.items() if name not in self.reasons}
        if new:
            self.reasons.update(new)
            warnings.warn(
                f"Modality {self.modality!r}: {len(new)} images cannot be read "
                f"(on_error={self.on_error!r}): {_some(new)}. "
                "All of them are in the encoder's `unreadable`.",
                UnreadableImageWarning,
                stacklevel=4,
            )


def _name(value: Any, position: int) -> str:
    # Only a path tells one image from another.
    return (
        source_name(value)
        if isinstance(value, str | PathLike)
        else f"{source_name(value)}, number {position}"
    )


def _some(reasons: Mapping[str, str]) -> str:
    named = [f"{source!r} ({reason})" for source, reason in list(reasons.items())[:5]]
    return "; ".join(named) + ("; ..." if len(reasons) > len(named) else "")
