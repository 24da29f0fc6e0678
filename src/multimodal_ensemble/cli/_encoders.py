"""The encoders of the columns that a command names, or of all."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from multimodal_ensemble.cli._arguments import KINDS, columns_aside, root_of
from multimodal_ensemble.cli._console import Console
from multimodal_ensemble.cli._errors import CommandError, NoColumnError, UsageError
from multimodal_ensemble.cli._startup import import_tensorflow

if TYPE_CHECKING:
    import pandas as pd

    from multimodal_ensemble.encoders import Encoder


_N_LISTED = 20


# Options that are for columns of these kinds alone.
_OPTIONS_OF_KIND = {
    "image": ("backbone", "weights", "image_size", "fetch_images"),
    "text": ("text_backbone",),
}


def choose_encoders(
    table: pd.DataFrame,
    values: argparse.Namespace,
    console: Console,
    *,
    embed_tags: bool = False,
    verbose: int | None = None,
) -> list[Encoder]:
    """Return the encoders of the columns that are named, or of all but labels and names of rows.

    The code that creates them is printed. Later rows may lack any image, text or keyword. A warning
    names options for kinds of columns that there are none of.
    """
    named = [(column, kind) for kind in KINDS for column in getattr(values, kind) or ()]
    kinds = dict(named)
    excluded = [*columns_aside(values), *(values.exclude or ())]
    check_columns(table, [*kinds, *excluded])
    listed = [column for column, _ in named]
    if twice := [each for each in listed if listed.count(each) > 1 or each in excluded]:
        msg = f"The column {twice[0]!r} is named for two purposes; name it once."
        raise UsageError(msg)
    if not kinds and set(table) <= set(excluded):
        groups = "" if getattr(values, "groups", None) is None else " --groups,"
        msg = f"The file has no column besides those of --labels,{groups} --id and --exclude."
        raise NoColumnError(msg)
    import_tensorflow()
    from multimodal_ensemble.encoders import infer_encoders
    from multimodal_ensemble.exceptions import ModalityError

    try:
        encoders = infer_encoders(
            table[list(kinds)] if kinds else table.drop(columns=excluded),
            kinds=kinds,
            allow_missing=True,
            embed_tags=embed_tags,
            backbone=values.backbone,
            image_options=_image_options(values),
            text_backbone=values.text_backbone,
            root=root_of(values, values.data),
            verbose=console.verbose if verbose is None else verbose,
        )
    except ModalityError as error:
        # The library advises to pass encoders.
        _, has_reasons, reasons = str(error).partition(" instead:\n")
        if not has_reasons:
            raise
        msg = (
            f"No column can be used:\n{reasons}\nName columns with --image, --text, --tags, "
            "--numbers, --categories or --dates to use them all the same."
        )
        raise NoColumnError(msg) from error
    _warn_of_unused(encoders, values, console)
    return encoders


def _warn_of_unused(
    encoders: Iterable[Encoder], values: argparse.Namespace, console: Console
) -> None:
    from multimodal_ensemble.encoders import ImageEncoder, TextEncoder

    kinds: dict[str, Any] = {"image": ImageEncoder, "text": TextEncoder}
    for kind, options in _OPTIONS_OF_KIND.items():
        unused = [name for name in options if getattr(values, name)]
        if unused and not any(isinstance(each, kinds[kind]) for each in encoders):
            named = ", ".join(f"--{name.replace('_', '-')}" for name in unused)
            verb = "has" if len(unused) == 1 else "have"
            console.warn(
                f"{named} {verb} no effect, because no column is read as {kind}; name one with "
                f"--{kind}."
            )


def check_columns(table: pd.DataFrame, columns: Iterable[str]) -> None:
    """Raise a CommandError if a table lacks one of the columns."""
    for column in columns:
        if column not in table:
            msg = f"There is no column {column!r}. The file has {list_columns(table)}."
            raise CommandError(msg)


def list_columns(columns: Iterable[Any]) -> str:
    """Return the first names of columns, and the number of the others."""
    names = [*map(str, columns)]
    others = f" and {len(names) - _N_LISTED} more" if len(names) > _N_LISTED else ""
    return ", ".join(names[:_N_LISTED]) + others


def _image_options(values: argparse.Namespace) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if values.weights == "random":
        # Commands with the same seed share features of random weights.
        options |= {"weights": None, "seed": values.seed}
    elif values.weights is not None:
        options["weights"] = values.weights
    if values.image_size is not None:
        options["image_size"] = values.image_size
    if values.fetch_images:
        from multimodal_ensemble.images import FetchOptions

        options["fetch"] = FetchOptions()
    return options
