"""Arguments that several commands have."""

from __future__ import annotations

import argparse
from pathlib import Path

from multimodal_ensemble.cli._command import Add

CRITERIA = ("auto", "prevalence", "accuracy", "f1", "balanced_accuracy")
CALIBRATIONS = ("platt", "isotonic")
# Kinds of columns, as `infer_encoders` names them.
KINDS = ("image", "text", "tags", "numbers", "categories", "dates")


def add_data(add: Add, help: str) -> None:
    """Add the file of rows, and how it is read."""
    add("data", metavar="DATA", help=f"{help}: .csv, .tsv, .jsonl or .parquet")
    add_reading(add)


def add_reading(add: Add) -> None:
    """Add how text files and paths of images are read."""
    add(
        "--delimiter",
        metavar="CHARACTER",
        type=parse_delimiter,
        help="what separates the values of a row; tab for a tab (default: found)",
    )
    add("--encoding", metavar="NAME", help="encoding of a text file (default: UTF-8, or its BOM)")
    add(
        "--root",
        metavar="FOLDER",
        help="folder that relative paths of images start from (default: that of the file)",
    )


def add_labels(add: Add, *, is_required: bool) -> None:
    """Add the column of labels, and how it is split."""
    add(
        "--labels",
        nargs="+",
        metavar="COLUMN",
        required=is_required,
        help="column with the labels of each row; several columns with 0 and 1 are labels each",
    )
    add(
        "--label-delimiter",
        metavar="TEXT",
        type=parse_label_delimiter,
        help="what separates the labels of a row (default: found)",
    )


def add_training_labels(add: Add) -> None:
    """Add the column of labels to learn."""
    add_labels(add, is_required=True)
    add(
        "--min-label-count",
        type=parse_count,
        default=1,
        metavar="N",
        help="leave out labels that fewer rows have",
    )


def add_columns(add: Add) -> None:
    """Add which columns are read, and how."""
    add(
        "--image",
        nargs="+",
        metavar="COLUMN",
        help="columns of image files; with any of --image, --text, --tags, --numbers, "
        "--categories and --dates, only the columns that they name are read (default: chosen by "
        "their values)",
    )
    add("--text", nargs="+", metavar="COLUMN", help="columns of sentences")
    add("--tags", nargs="+", metavar="COLUMN", help="columns of delimited keywords")
    add("--numbers", nargs="+", metavar="COLUMN", help="columns of numbers")
    add("--categories", nargs="+", metavar="COLUMN", help="columns of categories")
    add("--dates", nargs="+", metavar="COLUMN", help="columns of dates")
    add("--exclude", nargs="+", metavar="COLUMN", help="columns to leave out")
    add("--id", metavar="COLUMN", help="column that names the rows; it is not learned from")
    add("--backbone", metavar="NAME", help="network for images (default: VGG16)")
    add(
        "--weights",
        metavar="WEIGHTS",
        help="weights of the network for images: imagenet, random, or a file (default: imagenet)",
    )
    add(
        "--image-size",
        type=parse_count,
        metavar="PIXELS",
        help="side of images (default: that of the network)",
    )
    add_fetching(add, "columns of images may hold addresses of the web, which are fetched")
    add(
        "--text-backbone",
        metavar="FOLDER",
        help="language model for sentences; needs the extra text (default: words are counted)",
    )
    add("--store", metavar="FOLDER", help="keeps features of networks for later commands")
    add_seed(add)


def add_fetching(add: Add, help: str) -> None:
    """Add the permission to fetch images of the web."""
    add("--fetch-images", action="store_true", help=f"{help}, from public servers and with limits")


def add_training(add: Add) -> None:
    """Add options of the training."""
    add(
        "--threshold",
        choices=CRITERIA,
        default="auto",
        help="what the decision threshold of each label maximises",
    )
    add(
        "--calibration",
        choices=CALIBRATIONS,
        help="makes scores agree with the shares of rows, on rows that were not trained on; the "
        "ensemble always has platt, and a network none by default",
    )
    add(
        "--epochs",
        type=parse_count,
        metavar="N",
        help="most passes of a network over the rows; the ensemble has none",
    )


def add_seed(add: Add) -> None:
    """Add the seed."""
    add("--seed", type=parse_seed, default=0, metavar="N", help="seed of everything that is random")


def add_model(add: Add) -> None:
    """Add the file of a model."""
    add("model", metavar="MODEL", help="file that train wrote")


def add_imports(add: Add) -> None:
    """Add the modules that define classes of a model."""
    add(
        "--import",
        nargs=1,
        action="extend",
        metavar="MODULE",
        type=parse_module,
        help="module that defines encoders of the model, in this folder or installed; may be given "
        "several times",
    )


def add_model_and_data(add: Add, help: str) -> None:
    """Add the file of a model, its modules, the file of rows, and where features are kept."""
    add_model(add)
    add_imports(add)
    add_data(add, help)
    add("--store", metavar="FOLDER", help="keeps features of networks for later commands")


def parse_count(text: str) -> int:
    """Return a whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        msg = f"{text!r} is no whole number of at least 1"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


def parse_module(text: str) -> str:
    """Return the name of a module as Python imports it."""
    stem = text.removesuffix(".py")
    if stem != text or not all(part.isidentifier() for part in text.split(".")):
        msg = f"{text!r} is no name of a module; my_encoders is that of a file my_encoders.py"
        raise argparse.ArgumentTypeError(msg)
    return text


def parse_label_delimiter(text: str) -> str:
    """Return a text that is not empty."""
    if not text:
        msg = "it must have a character, such as '|'"
        raise argparse.ArgumentTypeError(msg)
    return text


def parse_seed(text: str) -> int:
    """Return a whole number of at least 0."""
    if not text.isdecimal():
        msg = f"{text!r} is no whole number of at least 0"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


def parse_port(text: str) -> int:
    """Return a whole number that a port can have."""
    if parse_count(text) > 65535:
        msg = f"{text!r} is no port; the last one is 65535"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


def parse_share(text: str) -> float:
    """Return a number between 0 and 1."""
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0 < share < 1:
        msg = f"{text!r} is no number between 0 and 1, such as 0.2"
        raise argparse.ArgumentTypeError(msg)
    return share


def parse_delimiter(text: str) -> str:
    """Return a single character."""
    text = {"tab": "\t", "\\t": "\t"}.get(text, text)
    if len(text) != 1 or text in '"\r\n':
        msg = f"{text!r} is no single character that can separate values"
        raise argparse.ArgumentTypeError(msg)
    return text


def modules_of(values: argparse.Namespace) -> list[str]:
    """Return the modules to import, whose option has the name of a keyword."""
    return list(getattr(values, "import") or ())


def columns_aside(values: argparse.Namespace) -> list[str]:
    """Return the columns that are not learned from: labels, names of rows and groups."""
    others = (values.id, getattr(values, "groups", None))
    return [*(values.labels or ()), *(each for each in others if each is not None)]


def root_of(values: argparse.Namespace, path: str) -> str:
    """Return the folder that relative paths in a file start from."""
    if values.root is not None:
        return str(values.root)
    place = Path(path)
    return str(place if place.is_dir() else place.parent)
