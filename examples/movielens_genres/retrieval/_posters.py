"""The folder of posters: a file in it is whole and an image, or it is not there."""

import os
import threading
from pathlib import Path

from multimodal_ensemble import read_image
from multimodal_ensemble.exceptions import ImageReadError

from ._errors import UnansweredError
from ._journal import Poster

POSTER_FOLDER = "posters"
_PART = ".part"
# Pixels take a hundred times the memory of their file, so that not all threads may decode at once.
_DECODING = threading.Semaphore(2)


class PosterFolder:
    """Posters of movies; threads may share it as long as they write different files.

    Parameters
    ----------
    folder : Path
        Made if there is none; files that a killed run left half written are removed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(exist_ok=True)
        for path in folder.glob(f".*{_PART}"):
            path.unlink()

    def sizes(self) -> dict[str, int]:
        """Return the size of every file in bytes."""
        with os.scandir(self._folder) as entries:
            return {entry.name: entry.stat().st_size for entry in entries if entry.is_file()}

    def find(self, file: str) -> Poster | None:
        """Return the poster of that name if it is there and an image."""
        try:
            content = (self._folder / file).read_bytes()
            return Poster(file, len(check_image(content)))
        except (FileNotFoundError, IsADirectoryError, UnansweredError):
            return None

    def write(self, file: str, content: bytes) -> Poster:
        """Write a poster, whole or not at all."""
        part = self._folder / f".{file}{_PART}"
        try:
            part.write_bytes(content)
            part.replace(self._folder / file)
        except OSError:
            part.unlink(missing_ok=True)
            raise
        return Poster(file, len(content))


def check_image(content: bytes) -> bytes:
    """Return the content of a file if all of it can be decoded as an image.

    Raises
    ------
    UnansweredError
        If it cannot.
    """
    try:
        with _DECODING:
            read_image(content, 8, resampling="nearest")
    except ImageReadError:
        msg = "something other than an image"
        raise UnansweredError(msg) from None
    return content
