"""Figures of a model on the rows of a file, and the page about them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from multimodal_ensemble.cli._console import Console
from multimodal_ensemble.cli._errors import CommandError
from multimodal_ensemble.cli._figures import (
    MODEL,
    TRIVIAL,
    Figures,
    known_rows,
    most_frequent,
    predicted_matrix,
    trivial_scores,
)
from multimodal_ensemble.cli._groups import number_test_groups
from multimodal_ensemble.cli._images import check_images
from multimodal_ensemble.cli._labels import (
    check_known_labels,
    find_separator,
    select_labels,
    split_off_rows_without_class,
)
from multimodal_ensemble.cli._models import target_of
from multimodal_ensemble.cli._row_reader import report_bad_rows
from multimodal_ensemble.cli._scores import check_model_columns, prepare_rows, score_rows
from multimodal_ensemble.cli._text_rows import BadRow

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Measured:
    """The rows that were evaluated, with labels, scores and figures, and those left out."""

    table: pd.DataFrame
    # NaN where a label is unknown.
    y_true: NDArray[Any]
    y_score: NDArray[np.float32]
    figures: Figures
    bad: list[BadRow]
    root: str
    # The group of each row, which resamples keep together.
    groups: NDArray[np.intp] | None = None


def measure_rows(
    model: Any,
    table: pd.DataFrame,
    columns: Sequence[str],
    console: Console,
    *,
    root: str,
    delimiter: str | None = None,
    groups: str | None = None,
    seed: int,
) -> Measured:
    """Return the figures of a model on rows with labels; rows that it cannot read are left out.

    The labels of a row are separated by `delimiter`, by default as in training unless the rows show
    another one. Intervals are those of whole groups if the rows have a column `groups`.
    """
    import numpy as np

    from multimodal_ensemble._target import read_classes, read_target

    target = target_of(model)
    read = [column for encoder in model.encoders_ for column in encoder.columns]
    if both := [column for column in columns if column in read]:
        msg = f"The model reads the column {both[0]!r}, so it cannot have the labels; name another."
        raise CommandError(msg)
    if target.is_single and len(columns) > 1:
        msg = (
            "The model predicts one class per row, and one column has it. Received --labels "
            f"{', '.join(columns)}; name one column."
        )
        raise CommandError(msg)
    values, name = select_labels(table, columns), ", ".join(columns)
    separator = delimiter or find_separator(values, target, columns, model.label_delimiter)
    if delimiter is None and separator != model.label_delimiter:
        how = "are lists as text" if separator is None else f"are separated by {separator!r}"
        console.note(
            f"The labels in the column {name!r} {how}, and those of the training rows by "
            f"{model.label_delimiter!r}"
        )
    check_known_labels(values, target, columns, separator)
    without: list[BadRow] = []
    if target.is_single:
        values, without = split_off_rows_without_class(values)
        table = table.loc[values.index]
        # Rows of a class that no training row has are of none.
        places = np.arange(len(target.classes))
        matrix = read_classes(values, target, name=name)[:, np.newaxis] == places
    else:
        matrix, _ = read_target(values, target, name=name, delimiter=separator)
    table = table.drop(columns=list(columns))
    check_model_columns(model, [*table], console)
    prepare_rows(model, table, root)
    check_images(model, table)
    scored = score_rows(model, table)
    bad = sorted([*without, *scored.bad], key=lambda each: each.row)
    report_bad_rows(bad, console, what="left out of the evaluation")
    if not scored.parts:
        msg = "No row can be evaluated; the reasons are above."
        raise CommandError(msg)
    table, y_true = table.iloc[scored.positions], matrix[scored.positions]
    y_score = np.concatenate(scored.parts)
    true_classes = values.iloc[scored.positions].tolist() if target.is_single else None
    numbers = number_test_groups(table, groups, known_rows(y_true), console)
    figures = Figures.measure(model, y_true, y_score, true_classes, groups=numbers, seed=seed)
    return Measured(table, y_true, y_score, figures, bad, root, numbers)


@contextmanager
def keeping_features(model: Any, *, is_needed: bool) -> Iterator[None]:
    """Keep features in a temporary folder, because the page reads rows that were scored already.

    A model with a store has them there.
    """
    if not is_needed or model.store is not None:
        yield
        return
    from multimodal_ensemble.features import FeatureStore

    with tempfile.TemporaryDirectory(prefix="features-") as folder:
        # Of full precision, so that the scores are those without a page.
        store = FeatureStore(folder, dtype="float32", compute_dtype="float32")
        model.set_params(store=store)
        try:
            yield
        finally:
            model.set_params(store=None)


def write_model_report(model: Any, measured: Measured, path: Path, *, title: str) -> None:
    """Write a page that compares a model with the trivial benchmark, and shows test rows.

    Rows with unknown labels are left out.
    """
    from multimodal_ensemble.model_selection import ComparisonResult, ComparisonSplit
    from multimodal_ensemble.reporting import StudyResults, make_gallery, write_report

    provenance = model.provenance_
    target = target_of(model)
    is_known = known_rows(measured.y_true)
    if not is_known.any():
        msg = "There is no page, because each row lacks some label."
        raise CommandError(msg)
    measured = replace(
        measured,
        table=measured.table[is_known],
        y_true=measured.y_true[is_known].astype(bool),
        y_score=measured.y_score[is_known],
        groups=None if measured.groups is None else measured.groups[is_known],
    )
    n_rows = len(measured.table)
    trivial = trivial_scores(model, n_rows)
    split = ComparisonSplit(
        range(n_rows),
        {TRIVIAL: trivial, MODEL: measured.y_score},
        {TRIVIAL: 0.5, MODEL: 0.5 if target.is_single else model.thresholds_},
        y_preds={
            TRIVIAL: most_frequent(trivial),
            MODEL: predicted_matrix(model, measured.y_score),
        }
        if target.is_single
        else None,
    )
    names = [str(label) for label in model.classes_.tolist()]
    comparison = ComparisonResult.from_scores(
        measured.y_true, [split], labels=names, groups=measured.groups
    )
    table, images = _with_pictures(model, measured)
    gallery = (
        ()
        if target.is_single
        else make_gallery(
            model,
            table,
            measured.y_true,
            titles=[f"row {number}" for number in table.index],
            images=images,
        )
    )
    results = StudyResults(
        comparison,
        title=title,
        trivial=TRIVIAL,
        model=MODEL,
        gallery=gallery,
        provenance={
            "Training rows": f"{provenance['n_train']:,}",
            "Thresholds from": str(provenance["thresholds_from"]),
            "Seed": str(provenance["seed"]),
            "Trained at": str(provenance["trained_at"]),
            "Versions": ", ".join(f"{k} {v}" for k, v in provenance["versions"].items()),
        },
    )
    write_report(results, path)


def _with_pictures(model: Any, measured: Measured) -> tuple[pd.DataFrame, str | None]:
    """Return the table with whole paths of images, and the column of the first images."""
    from multimodal_ensemble.encoders import ImageEncoder

    table = measured.table.copy()
    encoders = [each for each in model.encoders_ if isinstance(each, ImageEncoder)]
    singles = [encoder for encoder in encoders if encoder.items is None]
    columns = [column for encoder in singles for column in encoder.columns if column in table]
    # The encoders join relative paths with the root once more.
    root = Path(measured.root).resolve()
    for column in columns:
        table[column] = [
            str(root / value) if isinstance(value, str) and "://" not in value else value
            for value in table[column]
        ]
    return table, next(iter(columns), None)
