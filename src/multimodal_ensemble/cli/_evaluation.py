"""Figures of a model on the rows of a file, and the page about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from multimodal_ensemble.cli._console import Console
from multimodal_ensemble.cli._errors import CommandError
from multimodal_ensemble.cli._figures import MODEL, TRIVIAL, Figures, known_rows, trivial_scores
from multimodal_ensemble.cli._labels import select_labels
from multimodal_ensemble.cli._row_reader import report_bad_rows
from multimodal_ensemble.cli._scores import prepare_rows, score_rows
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


def measure_rows(
    model: Any,
    table: pd.DataFrame,
    columns: Sequence[str],
    console: Console,
    *,
    root: str,
    delimiter: str | None = None,
    seed: int,
) -> Measured:
    """Return the figures of a model on rows with labels; rows that it cannot read are left out.

    The labels of a row are separated as in training, unless by another `delimiter`.
    """
    import numpy as np

    from multimodal_ensemble._labels import read_labels

    matrix, _ = read_labels(
        select_labels(table, columns),
        np.asarray(model.classes_),
        name=", ".join(columns),
        delimiter=delimiter or model.label_delimiter,
        may_be_unknown=True,
    )
    table = table.drop(columns=list(columns))
    prepare_rows(model, table, root)
    scored = score_rows(model, table)
    report_bad_rows(scored.bad, console, what="left out of the evaluation")
    if not scored.parts:
        msg = "No row can be evaluated; the reasons are above."
        raise CommandError(msg)
    y_true, y_score = matrix[scored.positions], np.concatenate(scored.parts)
    figures = Figures.measure(model, y_true, y_score, seed=seed)
    return Measured(table.iloc[scored.positions], y_true, y_score, figures, scored.bad, root)


def write_model_report(model: Any, measured: Measured, path: Path, *, title: str) -> None:
    """Write a page that compares a model with the trivial benchmark, and shows test rows.

    Rows with unknown labels are left out.
    """
    from multimodal_ensemble.model_selection import ComparisonResult, ComparisonSplit
    from multimodal_ensemble.reporting import StudyResults, make_gallery, write_report

    provenance = model.provenance_
    shares = provenance["label_shares"]
    is_known = known_rows(measured.y_true)
    if not is_known.any():
        msg = "There is no page, because each row lacks some label."
        raise CommandError(msg)
    measured = replace(
        measured,
        table=measured.table[is_known],
        y_true=measured.y_true[is_known].astype(bool),
        y_score=measured.y_score[is_known],
    )
    n_rows = len(measured.table)
    split = ComparisonSplit(
        range(n_rows),
        {TRIVIAL: trivial_scores(shares, n_rows), MODEL: measured.y_score},
        {TRIVIAL: 0.5, MODEL: model.thresholds_},
    )
    names = [str(label) for label in model.classes_.tolist()]
    comparison = ComparisonResult.from_scores(measured.y_true, [split], labels=names)
    table, images = _with_pictures(model, measured)
    results = StudyResults(
        comparison,
        title=title,
        trivial=TRIVIAL,
        model=MODEL,
        gallery=make_gallery(
            model,
            table,
            measured.y_true,
            titles=[f"row {number}" for number in table.index],
            images=images,
        ),
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
    for column in columns:
        table[column] = [
            str(Path(measured.root) / value)
            if isinstance(value, str) and "://" not in value
            else value
            for value in table[column]
        ]
    return table, next(iter(columns), None)
