"""The images of a modality that cannot be read: each is found once and reported once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from os import PathLike
from typing import Any, TypeAlias

import numpy as np

from multimodal_ensemble._tables import counted
from multimodal_ensemble._warnings import warn
from multimodal_ensemble.encoders._item_lists import ItemLists
from multimodal_ensemble.exceptions import ImageReadError
from multimodal_ensemble.images import (
    FetchOptions,
    ImageBatch,
    UnreadableImageWarning,
    content_digest,
    is_data_uri,
    source_name,
)

_BLANK_DIGEST = hashlib.sha256(b"multimodal_ensemble: blank image").digest()
_BATCH_SIZE = 128
_NAMED_IN_WARNING = 5
# Most of the time of a fetch is spent waiting.
FETCHING_THREADS = 8
_Root: TypeAlias = str | PathLike[str] | None
_Reader: TypeAlias = Callable[[Sequence[Any]], ImageBatch]


class UnreadableImages:
    """The images that an encoder could not read so far, with reasons."""

    def __init__(self, modality: str, on_error: str, fetch: FetchOptions | None = None) -> None:
        self.modality = modality
        self.on_error = on_error
        self.fetch = fetch
        self.reasons: dict[str, str] = {}
        # The paths and the contents of these images.
        self._noted: set[str | bytes] = set()
        # By content digest: why an image cannot be decoded, or None if it can.
        self._verdicts: dict[bytes, str | None] = {}

    def handle(self, batch: ImageBatch, values: Sequence[Any], root: _Root) -> None:
        """Raise an error for the first failure of a batch, or remember the black images."""
        if batch.failures and self.on_error != "blank":
            first = batch.failures[0]
            raise self._error(values, first.position, first.reason, root)
        self._note(_reasons(batch), values)

    def digests(self, values: Sequence[Any], read: _Reader, root: _Root) -> list[bytes]:
        """Return a digest of the bytes of each image; black images have one in common."""
        # The bytes of a file do not show whether it can be decoded, and the features of the black
        # image in its place must not be kept as those of the file.
        blank = self.find(values, read, root) if self.on_error == "blank" else {}
        digests = []
        for position, digest in enumerate(self._digest(values, root)):
            if position in blank:
                digests.append(_BLANK_DIGEST)
            elif isinstance(digest, ImageReadError):
                reason = digest.strerror or str(digest)
                raise self._error(values, position, reason, root) from digest.__cause__
            else:
                digests.append(digest)
        return digests

    def find(self, values: Sequence[Any], read: _Reader, root: _Root) -> dict[int, str]:
        """Return reasons by position of the images that cannot be read; decode each image once."""
        found: dict[int, str] = {}
        unknown: list[tuple[int, bytes]] = []
        for position, digest in enumerate(self._digest(values, root)):
            if isinstance(digest, ImageReadError):
                found[position] = digest.strerror or str(digest)
            elif digest not in self._verdicts:
                unknown.append((position, digest))
            elif reason := self._verdicts[digest]:
                found[position] = reason
        for start in range(0, len(unknown), _BATCH_SIZE):
            chunk = unknown[start : start + _BATCH_SIZE]
            reasons = _reasons(read([values[position] for position, _ in chunk]))
            for number, (position, digest) in enumerate(chunk):
                self._verdicts[digest] = reasons.get(number)
                if number in reasons:
                    found[position] = reasons[number]
        self._note(found, values)
        return dict(sorted(found.items()))

    def count(self, lists: ItemLists, root: _Root) -> tuple[int, int]:
        """Return how many images are known as unreadable, and how many rows have one.

        No file is opened.
        """
        known = np.array([self._is_known(image, root) for image in lists.items], dtype=bool)
        return int(known.sum()), len(np.unique(lists.rows[known[lists.index]]))

    def _digest(self, values: Sequence[Any], root: _Root) -> list[bytes | ImageReadError]:
        """Return the digest of each image, or why it cannot be opened."""

        def digest(value: Any) -> bytes | ImageReadError:
            try:
                return content_digest(value, root=root, fetch=self.fetch)
            except ImageReadError as error:
                return error

        if self.fetch is None:
            return [digest(value) for value in values]
        with ThreadPoolExecutor(FETCHING_THREADS) as pool:
            return list(pool.map(digest, values))

    def _is_known(self, image: Any, root: _Root) -> bool:
        if _is_path(image):
            return source_name(image) in self.reasons
        try:
            return self._verdicts.get(content_digest(image, root=root)) is not None
        except ImageReadError:
            return True

    def _error(
        self, values: Sequence[Any], position: int, reason: str, root: _Root
    ) -> ImageReadError:
        """Return an error that names the modality, the image and the ways to go on."""
        value = values[position]
        where = f" (relative paths start at {root})" if root and _is_path(value) else ""
        msg = (
            f"Modality {self.modality!r}: the image {source_name(value)!r} in row {position} "
            f"cannot be read: {reason}{where}. To go on without such images, pass on_error='blank' "
            "(black images in their place), on_error='drop' (their rows are left out), or "
            "on_error='missing' and optional=True (they count as missing) to the encoder."
        )
        error = ImageReadError(msg, row=position)
        error.strerror = reason
        return error

    def _note(self, found: Mapping[int, str], values: Sequence[Any]) -> None:
        """Remember images that could not be read, and warn of those not known so far."""
        new: dict[str | bytes, str] = {}
        n_rows = 0
        for position, reason in sorted(found.items()):
            value, name = values[position], source_name(values[position])
            # Two images that are not paths may have the same name.
            name = name if _is_path(value) else f"{name}, number {position}"
            key = _identify(value, name)
            if key not in self._noted:
                self.reasons.setdefault(new.setdefault(key, name), reason)
                n_rows += 1
        if not new:
            return
        self._noted |= set(new)
        listed = [f"{name!r} ({self.reasons[name]})" for name in new.values()][:_NAMED_IN_WARNING]
        msg = (
            f"Modality {self.modality!r}: {counted(len(new), 'image')} cannot be read "
            f"(on_error={self.on_error!r}), in {counted(n_rows, 'row')}: {'; '.join(listed)}"
            f"{'; ...' if len(new) > len(listed) else ''}. "
            "The encoder's attribute `unreadable` lists all of them."
        )
        warn(msg, UnreadableImageWarning)


def _reasons(batch: ImageBatch) -> dict[int, str]:
    return {failure.position: failure.reason for failure in batch.failures}


def _identify(image: Any, name: str) -> str | bytes:
    """Return what identifies an image in another list of images: its path or its content."""
    try:
        return name if _is_path(image) else content_digest(image)
    except ImageReadError:
        return name


def _is_path(value: object) -> bool:
    return isinstance(value, str | PathLike) and not is_data_uri(value)
