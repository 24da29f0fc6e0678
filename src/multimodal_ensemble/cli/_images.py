"""Images of a file that cannot be found or read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from multimodal_ensemble.cli._console import Console
from multimodal_ensemble.cli._errors import CommandError
from multimodal_ensemble.exceptions import ModalityError

if TYPE_CHECKING:
    import pandas as pd


class ImageSearch:
    """Looks for the images of a file until one is found, because all are absent without --root.

    Parameters
    ----------
    model : MultimodalEnsemble or MultimodalClassifier
        An estimator that `prepare_rows` has prepared for the file.
    """

    def __init__(self, model: Any) -> None:
        from multimodal_ensemble.encoders import ImageEncoder

        self._encoders = [each for each in model.encoders_ if isinstance(each, ImageEncoder)]
        self._is_found = False
        self._first: tuple[str, str] | None = None
        # Paths that lead nowhere, before any other image.
        self.n_absent = 0

    def add(self, table: pd.DataFrame) -> None:
        """Look for the images of further rows."""
        from multimodal_ensemble.images import local_path

        for encoder in self._encoders:
            for column in encoder.columns:
                for image in _list_images(encoder, table[column] if column in table else ()):
                    if self._is_found:
                        return
                    path = local_path(image, encoder.root)
                    # A name may be too long for `Path.exists`.
                    self._is_found = path is None or os.path.exists(path)  # noqa: PTH110
                    if not self._is_found:
                        self._first = self._first or (column, str(image))
                        self.n_absent += 1

    def finish(self) -> None:
        """Raise a CommandError if the rows so far have images, and none was found."""
        if self._is_found or self._first is None:
            return
        column, image = self._first
        folder = str(Path(self._encoders[0].root or ".").absolute())
        advice = ""
        if all(encoder.optional for encoder in self._encoders):
            advice = "; a file without that column is read as rows without images"
        msg = (
            f"No image of the file can be found. The first of {self.n_absent:,} is {image!r} in "
            f"the column {column!r}, sought in the folder {folder!r}. Name the folder that "
            f"relative paths start from with --root{advice}."
        )
        raise CommandError(msg)


def check_images(model: Any, table: pd.DataFrame) -> None:
    """Raise a CommandError if a table has images, and none of them can be found."""
    search = ImageSearch(model)
    search.add(table)
    search.finish()


def report_images(model: Any, console: Console) -> None:
    """Warn of images that could not be read, once for all blocks."""
    from multimodal_ensemble.encoders import ImageEncoder

    for encoder in model.encoders_:
        if isinstance(encoder, ImageEncoder) and (reasons := encoder.unreadable):
            name, reason = next(iter(reasons.items()))
            console.warn(
                f"{', '.join(encoder.columns)}: {len(reasons):,} images cannot be read, and their "
                f"rows are predicted without; the first is {name} ({reason}). Relative paths start "
                f"from {str(encoder.root)!r}; --root names another folder."
            )


def _list_images(encoder: Any, values: Any) -> Iterator[Any]:
    """Yield the images of a column without the missing ones."""
    from multimodal_ensemble._tables import is_missing
    from multimodal_ensemble.encoders import ItemLists

    for value in values:
        if encoder.items is None:
            images = [value]
        else:
            images = []
            # The value is no list, which is said when the row is read.
            with suppress(ModalityError):
                lists = ItemLists.read([value], modality=encoder.name, delimiter=encoder.delimiter)
                images = lists.items.tolist()
        for image in images:
            if not is_missing(image) and not (isinstance(image, str) and not image.strip()):
                yield image
