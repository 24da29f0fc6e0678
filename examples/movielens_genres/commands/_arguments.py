"""Arguments that several commands share, parsed into `Source`, `Filters` and seeds."""

import argparse
import contextlib
import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .._errors import UsageError
from ..data import (
    GENRE_TAG_RULES,
    MODALITIES,
    TAG_SOURCES,
    Filters,
    Source,
    is_prepared,
    read_modalities,
)
from ..sample import write_sample
from ._command import Add, check_at_least

SAMPLE = "sample"
_FILTER_NAMES = [field.name for field in dataclasses.fields(Filters)]


def add_data(add: Add, what: str = "data folder") -> None:
    """Add the data folder."""
    add("--data", default=SAMPLE, metavar="FOLDER", help=f"{what}, or the synthetic 'sample'")


def add_filters(add: Add) -> None:
    """Add the filters of movies and of user-generated tags."""
    # These have no argparse defaults, so that the parser knows which ones were given.
    add("--min-year", type=int, help=f"first release year (default: {Filters.min_year})")
    add("--language", help=f"original language, or 'all' (default: {Filters.language})")
    add(
        "--min-genre-share",
        type=float,
        help="smallest share of all genre occurrences for a genre to be kept "
        f"(default: {Filters.min_genre_share})",
    )
    add(
        "--min-tag-users",
        type=int,
        help="number of users who must have given a tag to a movie "
        f"(default: {Filters.min_tag_users})",
    )
    add(
        "--drop-genre-tags",
        choices=GENRE_TAG_RULES,
        help="which tags are dropped because they reveal the answer: tags that are the name of a "
        f"genre, tags that contain one, or none (default: {Filters.drop_genre_tags})",
    )


def add_inputs(add: Add) -> None:
    """Add the inputs that models see."""
    add(
        "--modalities",
        metavar="NAME,NAME",
        help=f"what models see, from {','.join(MODALITIES)} (default: poster,tags, or the "
        "modalities of the training table)",
    )
    add(
        "--tags",
        choices=TAG_SOURCES,
        help=f"user-generated tags, or the tag genome (default: {Filters.tags})",
    )
    add(
        "--min-relevance",
        type=float,
        metavar="R",
        help="with --tags genome: a movie has the tags of at least this relevance, in 0..1 "
        "(default: the relevances themselves are the input)",
    )
    add(
        "--movielens",
        metavar="FOLDER",
        help="with --tags genome: the MovieLens folder that has it (default: the data folder)",
    )


def add_seeds(add: Add) -> None:
    """Add the seeds."""
    add("--seed", type=int, default=1, help="first seed, for the split and the initial weights")
    add("--repeat", type=int, default=1, metavar="N", help="number of seeds")


def parse_seeds(values: argparse.Namespace, number: int) -> range:
    """Return this number of seeds."""
    check_at_least(values, repeat=1, seed=0)
    seeds = range(values.seed, values.seed + number)
    if seeds[-1] >= 2**32:
        msg = f"--seed must be below 4294967296, but the last seed is {seeds[-1]}."
        raise UsageError(msg)
    return seeds


def parse_filters(values: argparse.Namespace) -> Filters:
    """Return the filters.

    Raises
    ------
    UsageError
        If a value is out of range.
    """
    filters = Filters(**_given_filters(values))
    if not 0 <= filters.min_genre_share <= 1:
        msg = f"--min-genre-share must lie in 0..1, not {filters.min_genre_share}."
        raise UsageError(msg)
    if filters.min_tag_users < 1:
        msg = f"--min-tag-users must be at least 1, not {filters.min_tag_users}."
        raise UsageError(msg)
    if filters.min_relevance is not None and not 0 <= filters.min_relevance <= 1:
        msg = f"--min-relevance must lie in 0..1, not {filters.min_relevance}."
        raise UsageError(msg)
    return filters


def parse_source(values: argparse.Namespace) -> Source:
    """Return the source of the movies.

    Raises
    ------
    UsageError
        If a value is out of range, or options contradict each other.
    """
    modalities = _parse_modalities(values)
    folder = parse_folder(values)
    if folder is not None and is_prepared(folder):
        _check_no_filters(values, folder)
    filters = parse_filters(values)
    if filters.tags == "genome":
        if values.min_tag_users is not None:
            msg = "--min-tag-users belongs to --tags user; the tag genome has no users."
            raise UsageError(msg)
        if "tags" not in modalities:
            msg = "--tags genome is for models that see tags; add tags to --modalities."
            raise UsageError(msg)
    else:
        for name in ("min_relevance", "movielens"):
            if getattr(values, name) is not None:
                msg = f"--{name.replace('_', '-')} belongs to --tags genome, which is not given."
                raise UsageError(msg)
    return Source(
        folder=folder,
        filters=filters,
        modalities=modalities,
        genome=None if values.movielens is None else Path(values.movielens),
        unreadable_posters=values.unreadable_posters,
        is_sample=folder is None,
    )


def parse_folder(values: argparse.Namespace) -> Path | None:
    """Return the data folder; None for the sample."""
    return None if values.data == SAMPLE else Path(values.data)


@contextlib.contextmanager
def sample_written(source: Source, out: Path, *, seed: int = 1) -> Iterator[Source]:
    """Write the sample below `out` where it is the source; remove it if the command fails."""
    if source.folder is not None:
        yield source
        return
    folder = out / "data"
    try:
        write_sample(folder, seed=seed)
        print(f"Synthetic movies and posters, drawn by code: {folder}")
        yield dataclasses.replace(source, folder=folder)
    except BaseException:
        # The output folder must be empty when the corrected command runs.
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _given_filters(values: argparse.Namespace) -> dict[str, Any]:
    given = {name: getattr(values, name, None) for name in _FILTER_NAMES}
    return {name: value for name, value in given.items() if value is not None}


def _check_no_filters(values: argparse.Namespace, folder: Path) -> None:
    given = [*_given_filters(values), *(["movielens"] if values.movielens else [])]
    given += ["unreadable_posters"] if values.unreadable_posters == "drop" else []
    if given:
        msg = (
            f"{str(folder)!r} holds a training table, which is already filtered; run without "
            f"--{given[0].replace('_', '-')}, or prepare the table again."
        )
        raise UsageError(msg)


def _parse_modalities(values: argparse.Namespace) -> tuple[str, ...]:
    """Return the modalities in the order of `MODALITIES`."""
    if values.modalities is None:
        return read_modalities(Path(values.data)) or ("poster", "tags")
    names = [name.strip() for name in values.modalities.split(",")]
    if set(names) - set(MODALITIES) or len(set(names)) < len(names):
        msg = (
            f"--modalities takes each of {','.join(MODALITIES)} at most once, not "
            f"{values.modalities!r}."
        )
        raise UsageError(msg)
    return tuple(name for name in MODALITIES if name in names)
