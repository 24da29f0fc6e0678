"""Options that several commands share, and what they come to."""

import argparse
import dataclasses
import importlib.util
import shlex
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from .._errors import UsageError
from ..data import (
    GENRE_TAG_RULES,
    MODALITIES,
    TAG_SOURCES,
    Filters,
    MovieData,
    check_enough,
    make_manifest,
    prepare_movies,
    read_folder,
    read_modalities,
)
from ..sample import write_sample

SAMPLE = "sample"

Add = Callable[..., None]


def adder(parser: argparse.ArgumentParser) -> Add:
    """Return a function that adds options whose help tells the default, where there is one."""

    def add(option: str, *, help: str, default: object = None, **kwargs: Any) -> None:
        # argparse's own formatter would also print the defaults that are None.
        shown = " ".join(default) if isinstance(default, list) else default
        if default is not None:
            kwargs["default"], help = default, f"{help} (default: {shown})"
        parser.add_argument(option, help=help, **kwargs)

    return add


def add_command(commands: Any, name: str, description: str) -> argparse.ArgumentParser:
    """Return a new command's parser; the first sentence of the description stands in the list."""
    summary, _, _ = description.partition(".\n")
    summary = summary.rstrip(".")
    return commands.add_parser(
        name, help=summary[0].lower() + summary[1:], description=description.strip()
    )


def add_data_option(add: Add, what: str = "data folder") -> None:
    """Add the data folder."""
    add("--data", default=SAMPLE, metavar="FOLDER", help=f"{what}, or the synthetic 'sample'")


def add_filter_options(add: Add) -> None:
    """Add the filters of movies and of tags that users typed."""
    # Without defaults, so that one that was given can be told from one that was not.
    add("--min-year", type=int, help=f"first release year (default: {Filters.min_year})")
    add("--language", help=f"original language, or 'all' (default: {Filters.language})")
    add(
        "--min-genre-share",
        type=float,
        help="share of all genre occurrences that a kept genre has at least "
        f"(default: {Filters.min_genre_share})",
    )
    add(
        "--min-tag-users",
        type=int,
        help="users that must have given a tag to a movie for it to count there "
        f"(default: {Filters.min_tag_users})",
    )
    add(
        "--drop-genre-tags",
        choices=GENRE_TAG_RULES,
        help="tags that give the answer away: those that name a genre exactly, those that have "
        f"the name within, or none (default: {Filters.drop_genre_tags})",
    )


def add_input_options(add: Add) -> None:
    """Add what each movie has, for models to see."""
    add(
        "--modalities",
        metavar="NAME,NAME",
        help=f"what models see, of {','.join(MODALITIES)} (default: poster,tags, or what a "
        "training table was prepared with)",
    )
    add(
        "--tags",
        choices=TAG_SOURCES,
        help="tags that users typed, or the relevances of the tag genome "
        f"(default: {Filters.tags})",
    )
    add(
        "--min-relevance",
        type=float,
        metavar="R",
        help="with --tags genome: a movie has the tags of at least this relevance, in 0..1 "
        "(default: it has the relevances themselves)",
    )
    add(
        "--movielens",
        metavar="FOLDER",
        help="with --tags genome: the MovieLens folder that has it (default: the data folder)",
    )


def filters_from(options: argparse.Namespace) -> Filters:
    """Return the filters that the options ask for.

    Raises
    ------
    UsageError
        If a value is out of range, or asked for together with what makes no use of it.
    """
    given = given_filters(options)
    filters = Filters(**given)
    if not 0 <= filters.min_genre_share <= 1:
        msg = f"--min-genre-share must lie in 0..1, not {filters.min_genre_share}."
        raise UsageError(msg)
    if filters.min_tag_users < 1:
        msg = f"--min-tag-users must be at least 1, not {filters.min_tag_users}."
        raise UsageError(msg)
    if filters.min_relevance is not None and not 0 <= filters.min_relevance <= 1:
        msg = f"--min-relevance must lie in 0..1, not {filters.min_relevance}."
        raise UsageError(msg)
    if filters.tags == "genome":
        if "min_tag_users" in given:
            msg = "--min-tag-users belongs to --tags user; the tag genome has no users."
            raise UsageError(msg)
        if "tags" not in modalities_from(options):
            msg = "--tags genome is for models that see tags; add tags to --modalities."
            raise UsageError(msg)
    else:
        for name in ("min_relevance", "movielens"):
            if getattr(options, name, None) is not None:
                msg = f"--{name.replace('_', '-')} belongs to --tags genome, which is not given."
                raise UsageError(msg)
    return filters


def given_filters(options: argparse.Namespace) -> dict[str, Any]:
    """Return the filters that were given on the command line."""
    names = [field.name for field in dataclasses.fields(Filters)]
    values = {name: getattr(options, name, None) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def modalities_from(options: argparse.Namespace) -> tuple[str, ...]:
    """Return the modalities that are asked for, in the order of `MODALITIES`.

    Of a training table, all that it was prepared with, if nothing is said.
    """
    if options.modalities is None:
        return read_modalities(Path(options.data)) or ("poster", "tags")
    names = [name.strip() for name in options.modalities.split(",")]
    unknown = [name for name in names if name not in MODALITIES]
    if unknown or len(set(names)) < len(names):
        msg = (
            f"--modalities takes each of {','.join(MODALITIES)} once at most, not "
            f"{options.modalities!r}."
        )
        raise UsageError(msg)
    return tuple(name for name in MODALITIES if name in names)


def prepare(
    options: argparse.Namespace, folder: Path, modalities: Collection[str]
) -> tuple[MovieData, dict[str, Any]]:
    """Return the movies that the options ask for, and the manifest of what they were made of."""
    filters = filters_from(options)
    genome = None if options.movielens is None else Path(options.movielens)
    data = prepare_movies(
        read_folder(folder),
        filters,
        modalities=modalities,
        genome=genome,
        drop_unreadable_posters=options.unreadable_posters == "drop",
    )
    check_enough(data, folder)
    return data, make_manifest(data, folder, filters, modalities=modalities, genome=genome)


def default_out(options: argparse.Namespace, suffix: str) -> Path:
    """Return an output folder that tells time, data and purpose."""
    name = options.data if options.data == SAMPLE else Path(options.data).resolve().name
    stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    return Path("runs") / f"{stamp}-{name}-{suffix}"


def check_plots() -> None:
    """Check that figures can be drawn, better now than after an hour of work."""
    if importlib.util.find_spec("matplotlib") is None:
        msg = 'The figures need matplotlib; run pip install ".[plots]".'
        raise UsageError(msg)


def check_at_least(options: argparse.Namespace, **least: int) -> None:
    """Check that options that are whole numbers are large enough, if they are given."""
    for name, smallest in least.items():
        value = getattr(options, name)
        if value is not None and value < smallest:
            msg = f"--{name.replace('_', '-')} must be at least {smallest}, not {value}."
            raise UsageError(msg)


def check_seeds(options: argparse.Namespace) -> None:
    """Check that there are seeds from ``--seed`` on, ``--repeat`` of them."""
    check_at_least(options, repeat=1, seed=0)
    if (last := options.seed + options.repeat - 1) >= 2**32:
        msg = f"--seed must be below 4294967296, and the last of all seeds is {last}."
        raise UsageError(msg)


def choose_data(options: argparse.Namespace, out: Path, *, seed: int = 1) -> Path:
    """Return the data folder; the sample is written into ``out/data`` first.

    It is named in the options, so that a command that fails can take it away again.
    """
    if options.data != SAMPLE:
        return Path(options.data)
    folder = out / "data"
    options.sample = folder
    write_sample(folder, seed=seed)
    print(f"Synthetic movies and posters, drawn by code: {folder}")
    return folder


def make_out(name: str | None, default: Path) -> Path:
    """Return the output folder, made now, and not after an hour of work.

    Raises
    ------
    UsageError
        If it is a file, is not empty, or cannot be made.
    """
    out = default if name is None else Path(name)
    if out.exists() and not out.is_dir():
        msg = f"--out {str(out)!r} is a file; name a new or an empty folder."
        raise UsageError(msg)
    try:
        if out.exists() and any(out.iterdir()):
            msg = f"The output folder {str(out)!r} is not empty; name another one with --out."
            raise UsageError(msg)
        # An empty folder does no harm if the command then fails.
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"The output folder {str(out)!r} cannot be made ({error.strerror})."
        raise UsageError(msg) from error
    return out


def join_arguments(arguments: Sequence[str]) -> str:
    """Return the command line as it can be typed again."""
    return shlex.join(["python", "-m", "examples.movielens_genres", *arguments])
