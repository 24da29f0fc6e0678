"""Predict the genres of one movie with a model of a finished run, and explain the answer.

The models of the first seed of a run are saved. By default, the one that was best before the test
answers.
"""

import argparse
from pathlib import Path

from multimodal_ensemble.exceptions import ImageReadError, ModalityError, WeightsUnavailableError

from .._errors import UsageError
from ..data import COLUMNS_BY_OPTION
from ..options import PredictOptions
from ._command import Add, Command, check_plots


def _add_arguments(add: Add) -> None:
    add("--run", required=True, metavar="FOLDER", help="folder that the command run wrote")
    add("--model", metavar="NAME", help="one of its models (default: the best before the test)")
    add("--poster", metavar="FILE", help="image of the poster")
    add("--tags", help="tags, separated by commas; an empty text for a movie without tags")
    add("--title", help="title, for models that see titles")
    add("--year", type=int, help="release year, for models that see years")
    add("--language", help="original language, such as en, for models that see languages")
    add(
        "--out",
        metavar="FILE",
        help="also write a page to a new file, such as movie.html",
    )


def _parse(values: argparse.Namespace) -> PredictOptions:
    movie = {name: getattr(values, name) for name in COLUMNS_BY_OPTION}
    movie = {name: value for name, value in movie.items() if value is not None}
    if not movie:
        msg = "Describe the movie with --poster, --tags or --title."
        raise UsageError(msg)
    if values.poster is not None and not Path(values.poster).is_file():
        msg = f"--poster {values.poster!r} is no file."
        raise UsageError(msg)
    page = None if values.out is None else Path(values.out)
    if page is not None and (page.is_dir() or not page.absolute().parent.is_dir()):
        msg = f"--out {values.out!r} must be a file in a folder that exists."
        raise UsageError(msg)
    if page is not None and page.exists():
        msg = f"--out {values.out!r} exists already; name a new file."
        raise UsageError(msg)
    return PredictOptions(Path(values.run), values.model, movie, page, values.command_line)


def _execute(options: PredictOptions) -> int:
    if options.page is not None:
        check_plots()
    # TensorFlow takes seconds to load, so it is imported after all options are checked.
    from ..study import predict_movie

    print(predict_movie(options).to_markdown())
    if options.page is not None:
        print(f"The page is {options.page}.")
    return 0


PREDICT = Command(
    "predict",
    __doc__,
    _add_arguments,
    _parse,
    _execute,
    hints={
        ImageReadError: " Here: another --poster.",
        ModalityError: " Choose another --model.",
        WeightsUnavailableError: " Put the file back: models refer to their weights.",
    },
)
