"""The folder of posters, which only ever holds complete images."""

import os
import threading
from pathlib import Path

from multimodal_ensemble.exceptions import ImageReadError
from multimodal_ensemble.images import read_image
from multimodal_ensemble.saving import replacing

from ._errors import UnansweredError
from ._journal import Poster

POSTER_FOLDER = "posters"
# Pixels take about 100 times the memory of their file, so few threads may decode at a time.
_DECODING = threading.Semaphore(2)


class PosterFolder:
    """Posters of movies; threads can share it as long as they write different files.

    A file is named after TMDB's path and the size, so a name always means the same poster,
    whatever was asked before and for which movie.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(exist_ok=True)
        for path in folder.glob(".*.tmp"):
            path.unlink()

    def sizes(self) -> dict[str, int]:
        """Return the size of each file in bytes."""
        with os.scandir(self._folder) as entries:
            return {entry.name: entry.stat().st_size for entry in entries if entry.is_file()}

    @staticmethod
    def name(path: str, size: str) -> str:
        """Return the name of the file for a poster path of TMDB and a size."""
        stem, dot, suffix = path.removeprefix("/").rpartition(".")
        return f"{stem}-{size}{dot}{suffix}" if dot else f"{suffix}-{size}"

    def find(self, file: str) -> Poster | None:
        """Return the poster of a name if it exists and is an image."""
        try:
            content = (self._folder / file).read_bytes()
            return Poster(file, len(check_image(content)))
        except (FileNotFoundError, IsADirectoryError, UnansweredError):
            return None

    def write(self, file: str, content: bytes) -> Poster:
        """Write a poster whole or not at all."""
        with replacing(self._folder / file) as part:
            part.write(content)
        return Poster(file, len(content))


def check_image(content: bytes) -> bytes:
    """Return the content of a file if it can be decoded completely as an image.

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
