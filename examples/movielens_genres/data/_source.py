"""One call from the options about data to prepared movies."""

import dataclasses
from pathlib import Path
from typing import Any

from .._errors import DataError
from ._filters import Filters
from ._folder import is_prepared, read_folder
from ._manifest import check_posters, load_table, make_manifest
from ._prepare import MovieData, check_enough, clean_title, prepare_movies


@dataclasses.dataclass(frozen=True)
class Source:
    """Where the movies come from and which of them are kept."""

    # A data folder, or a training table written by prepare. None: a sample that is not written yet.
    folder: Path | None
    # What is kept. A training table is already filtered.
    filters: Filters = dataclasses.field(default_factory=Filters)
    modalities: tuple[str, ...] = ("poster", "tags")  # what the models see; names of `MODALITIES`
    # The folder of the tag genome. None: the data folder.
    genome: Path | None = None
    # How unreadable poster files are handled: "raise", "blank", "drop".
    unreadable_posters: str = "raise"
    is_sample: bool = False  # whether this is the synthetic sample

    @property
    def name(self) -> str:
        """Return the name of the folder."""
        return "sample" if self.is_sample else self.folder.resolve().name


@dataclasses.dataclass(frozen=True)
class Movies:
    """Prepared movies, the folder of their posters, and the manifest of their inputs."""

    data: MovieData
    folder: Path
    manifest: dict[str, Any]


def prepare_source(source: Source) -> Movies:
    """Read a data folder and apply the filters.

    Raises
    ------
    DataError
        If the data cannot be used or too few movies are left.
    """
    data = prepare_movies(
        read_folder(source.folder),
        source.filters,
        modalities=source.modalities,
        genome=source.genome,
        drop_unreadable_posters=source.unreadable_posters == "drop",
    )
    check_enough(data, source.folder)
    manifest = make_manifest(
        data, source.folder, source.filters, modalities=source.modalities, genome=source.genome
    )
    return Movies(data, source.folder, manifest)


def load_movies(source: Source) -> Movies:
    """Read a training table, or prepare a data folder; add title_text, titles as they are spoken.

    Raises
    ------
    DataError
        If the data cannot be used, or the posters have changed since the table was prepared.
    """
    loaded = _load_table(source) if is_prepared(source.folder) else prepare_source(source)
    movies = loaded.data.movies
    movies = movies.assign(title_text=movies["title"].map(clean_title))
    return dataclasses.replace(loaded, data=dataclasses.replace(loaded.data, movies=movies))


def _load_table(source: Source) -> Movies:
    data, manifest, folder = load_table(source.folder)
    if "poster" in source.modalities:
        prepared = manifest["options"]["modalities"]
        if "poster" not in prepared:
            msg = (
                f"{str(source.folder)!r} was prepared without posters; run with --modalities "
                f"{','.join(prepared)}, or prepare the table again."
            )
            raise DataError(msg)
        check_posters(manifest, data, folder)
    # This path is relative to the table and would be wrong in the folder of results.
    del manifest["data_folder"]
    return Movies(data, folder, manifest)
