"""The command ``predict``."""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from multimodal_ensemble.cli._arguments import add_model_and_data, parse_count, root_of
from multimodal_ensemble.cli._command import Add, Command
from multimodal_ensemble.cli._console import Console, Progress, to_json
from multimodal_ensemble.cli._encoders import check_columns
from multimodal_ensemble.cli._errors import CommandError
from multimodal_ensemble.cli._images import ImageSearch, report_images
from multimodal_ensemble.cli._models import check_output, load_model, thresholds_of, training_of
from multimodal_ensemble.cli._prediction_file import (
    PredictionFile,
    check_labels,
    check_suffix,
    partial_path,
)
from multimodal_ensemble.cli._row_reader import (
    RowReader,
    check_exists,
    open_rows,
    report_bad_rows,
)
from multimodal_ensemble.cli._scores import (
    ScoredRows,
    check_model_columns,
    prepare_rows,
    score_rows,
)
from multimodal_ensemble.cli._text_rows import BadRow

if TYPE_CHECKING:
    import pandas as pd

_ROWS_PER_BLOCK = 1024
# Rows without a prediction that the JSON result lists.
_N_KEPT = 1000
_PREDICATES = {
    "multilabel": "a label is predicted where its score >= its threshold",
    "binary": "the second class is predicted where its score >= its threshold, else the first one",
    "multiclass": "the class with the greatest quotient of score and threshold is predicted",
}


def _add_arguments(add: Add) -> None:
    add_model_and_data(add, "file of rows")
    add("--out", required=True, metavar="FILE", help="file of predictions: CSV, JSON lines, ...")
    add("--id", metavar="COLUMN", help="column that names the rows (default: as in training)")
    add("--columns", nargs="+", metavar="COLUMN", help="further columns of the file to copy")
    add(
        "--block",
        type=parse_count,
        default=_ROWS_PER_BLOCK,
        metavar="ROWS",
        help="rows that are in memory at once",
    )


def _execute(values: argparse.Namespace, console: Console) -> None:
    out = check_output(values.out, values.model, values.data)
    check_suffix(out)
    # Rows are first written to this file.
    check_output(str(partial_path(out)), values.model, values.data)
    reader = open_rows(values.data, values)
    check_exists(Path(values.model))
    from multimodal_ensemble.images import UnreadableImageWarning

    model = load_model(values, store=values.store)
    classes = [str(label) for label in model.classes_.tolist()]
    if model.target_type_ == "multilabel":
        check_labels(out, classes)
    file = PredictionFile(out)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnreadableImageWarning)
            bad = _write_rows(file, model, classes, reader, values, console)
        if bad.count == file.n_rows:
            msg = f"{values.data!r} has no rows."
            if bad.first:
                msg = f"{values.data}: No row can be predicted; {bad.first[0]}."
            raise CommandError(msg)
        file.finish()
    except KeyboardInterrupt:
        file.close()
        console.kept = f"the first {file.n_rows:,} rows are in {file.partial}"
        raise
    except BaseException:
        file.discard()
        raise
    result = {
        "model": values.model,
        "data": values.data,
        "predictions": str(out),
        "n_rows": file.n_rows,
        "labels": classes,
        "thresholds": thresholds_of(model),
        "predicate": _PREDICATES[model.target_type_],
        "n_bad": bad.count,
        "bad_rows": [vars(each) for each in bad.first],
    }
    described = out.with_name(f"{out.name}.json")
    described.write_text(
        json.dumps(to_json(result), ensure_ascii=False, indent=1) + "\n",
        # Names of files that are no text are valid JSON then.
        encoding="utf-8",
        errors="backslashreplace",
    )
    report_images(model, console)
    report_bad_rows(
        bad.first,
        console,
        what="without a prediction, with the reason in the column error",
        n_bad=bad.count,
    )
    console.show(
        f"The predictions of {file.n_rows - bad.count:,} of {file.n_rows:,} rows are in {out}; "
        f"the thresholds are in {described}.",
        result,
    )


class _BadRows:
    """The number of rows without a prediction, and the first of them."""

    def __init__(self) -> None:
        self.count = 0
        self.first: list[BadRow] = []

    def add(self, rows: list[BadRow]) -> None:
        """Count rows, and keep them if there are few."""
        self.count += len(rows)
        self.first += rows[: _N_KEPT - len(self.first)]


def _write_rows(
    file: PredictionFile,
    model: Any,
    classes: list[str],
    reader: RowReader,
    values: argparse.Namespace,
    console: Console,
) -> _BadRows:
    """Write the predictions of all rows, and return the rows that have none."""
    import pandas as pd

    bad = _BadRows()
    progress = Progress(console)
    root = root_of(values, values.data)
    images = ImageSearch(model)
    copied: list[str] = []
    for block in reader.blocks(values.block):
        if not file.n_rows:
            copied = _columns_to_copy(block, model, reader, values, console)
        prepared = block.copy()
        prepare_rows(model, prepared, root)
        images.add(prepared)
        if len(block) < values.block or images.n_absent >= _ROWS_PER_BLOCK:
            # The last rows, or so many that the others are like them.
            images.finish()
        scored = score_rows(model, prepared)
        without = sorted([*reader.take_bad(), *scored.bad], key=lambda each: each.row)
        file.write(_make_rows(block[copied], model, classes, scored, without))
        bad.add(without)
        progress.update(file.n_rows, reader.share)
    images.finish()
    if without := reader.take_bad():
        # The last rows of the file are damaged, or all.
        empty = pd.DataFrame(columns=copied)
        file.write(_make_rows(empty, model, classes, ScoredRows(), without))
        bad.add(without)
    progress.close()
    return bad


def _columns_to_copy(
    block: pd.DataFrame,
    model: Any,
    reader: RowReader,
    values: argparse.Namespace,
    console: Console,
) -> list[str]:
    """Return the columns that the file of predictions repeats, and say which are absent."""
    check_model_columns(model, reader.columns, console)
    asked = [*([] if values.id is None else [values.id]), *(values.columns or ())]
    check_columns(block, asked)
    known = training_of(model).get("id")
    named = [known] if values.id is None and known in reader.columns else []
    return list(dict.fromkeys([*named, *asked]))


def _make_rows(
    copied: pd.DataFrame, model: Any, classes: list[str], scored: ScoredRows, bad: list[BadRow]
) -> pd.DataFrame:
    """Return the rows of the file of predictions in order, also those without a prediction."""
    import numpy as np
    import pandas as pd

    reasons = {each.row: each.reason for each in bad}
    numbers = sorted({*copied.index, *reasons})
    y_score = np.full((len(numbers), len(classes)), np.nan)
    is_single = model.target_type_ != "multilabel"
    named: list[Any] = [None if is_single else []] * len(numbers)
    if scored.parts:
        found = np.concatenate(scored.parts)
        places = np.searchsorted(numbers, copied.index[scored.positions])
        y_score[places] = found
        for place, labels in zip(places, model.labels_from_scores(found), strict=True):
            named[place] = str(labels) if is_single else [str(label) for label in labels]
    scores = pd.DataFrame(y_score, columns=[f"score_{name}" for name in classes], index=numbers)
    rows = copied.reindex(numbers)
    label = "label" if is_single else "labels"
    rows.columns = _distinct_names(rows.columns, {"row", label, *scores, "error"})
    rows.insert(0, "row", numbers)
    rows[label] = named
    errors = pd.Series([reasons.get(number) for number in numbers], numbers, object, "error")
    return pd.concat([rows, scores, errors], axis=1)


def _distinct_names(columns: Iterable[str], own: set[str]) -> list[str]:
    """Return the names of copied columns, with ``data_`` before those of columns with results."""
    taken, names = {*own}, []
    for column in columns:
        name = column
        while name in taken:
            name = f"data_{name}"
        taken.add(name)
        names.append(name)
    return names


PREDICT = Command(
    "predict",
    "Predict the labels of the rows of a file, of any length.\n"
    "The file of predictions has the number of each row, its labels, the score of each label, "
    "and the reason where a row cannot be predicted. A second file, with .json behind its name, "
    "has the thresholds.",
    _add_arguments,
    _execute,
)
