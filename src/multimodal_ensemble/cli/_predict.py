"""The command ``predict``."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from multimodal_ensemble.cli._arguments import add_model_and_data, parse_count, root_of
from multimodal_ensemble.cli._command import Add, Command
from multimodal_ensemble.cli._console import Console, Progress, to_json
from multimodal_ensemble.cli._encoders import check_columns
from multimodal_ensemble.cli._errors import CommandError
from multimodal_ensemble.cli._models import check_output, load_model, thresholds_of, training_of
from multimodal_ensemble.cli._prediction_file import PredictionFile, check_prediction_path
from multimodal_ensemble.cli._row_reader import RowReader, open_rows, report_bad_rows
from multimodal_ensemble.cli._scores import find_absent_columns, prepare_rows, score_rows
from multimodal_ensemble.cli._text_rows import BadRow

if TYPE_CHECKING:
    import pandas as pd

_ROWS_PER_BLOCK = 1024


def _add_arguments(add: Add) -> None:
    add_model_and_data(add, "file of rows")
    add("--out", required=True, metavar="FILE", help="file of predictions: CSV, JSON lines, ...")
    add("--id", metavar="COLUMN", help="column that names the rows (default: as in training)")
    add("--columns", nargs="+", metavar="COLUMN", help="further columns to copy")
    add(
        "--block",
        type=parse_count,
        default=_ROWS_PER_BLOCK,
        metavar="ROWS",
        help="rows that are in memory at once",
    )


def _execute(values: argparse.Namespace, console: Console) -> None:
    out = check_output(values.out)
    reader = open_rows(values.data, values)
    model = load_model(values.model, store=values.store)
    classes = [str(label) for label in model.classes_.tolist()]
    check_prediction_path(out, classes)
    file = PredictionFile(out)
    try:
        bad = _write_rows(file, model, classes, reader, values, console)
        if not file.n_rows:
            msg = f"{values.data!r} has no rows."
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
        "predicate": "a label is predicted where its score >= its threshold",
        "bad_rows": [vars(each) for each in bad],
    }
    described = out.with_name(f"{out.name}.json")
    described.write_text(
        json.dumps(to_json(result), ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
    )
    report_bad_rows(bad, console, what="without a prediction, with the reason in the column error")
    console.show(
        f"The predictions of {file.n_rows - len(bad):,} of {file.n_rows:,} rows are in {out}; "
        f"the thresholds are in {described}.",
        result,
    )


def _write_rows(
    file: PredictionFile,
    model: Any,
    classes: list[str],
    reader: RowReader,
    values: argparse.Namespace,
    console: Console,
) -> list[BadRow]:
    """Write the predictions of all rows, and return the rows that have none."""
    bad: list[BadRow] = []
    n_reported = 0
    progress = Progress(console)
    root = root_of(values, values.data)
    copied: list[str] = []
    for block in reader.blocks(values.block):
        if not file.n_rows:
            copied = _columns_to_copy(block, model, reader, values, console)
        prepared = block.copy()
        prepare_rows(model, prepared, root)
        scored = score_rows(model, prepared)
        of_block = [*reader.bad[n_reported:], *scored.bad]
        n_reported = len(reader.bad)
        file.write(_make_rows(block, copied, model, classes, scored, of_block))
        bad += of_block
        progress.update(file.n_rows, reader.share)
    if rest := reader.bad[n_reported:]:
        # The last rows of the file, or all, are damaged.
        import pandas as pd

        from multimodal_ensemble.cli._scores import ScoredRows

        empty = pd.DataFrame(columns=copied)
        file.write(_make_rows(empty, copied, model, classes, ScoredRows(), rest))
        bad += rest
    progress.close()
    return sorted(bad, key=lambda each: each.row)


def _columns_to_copy(
    block: pd.DataFrame,
    model: Any,
    reader: RowReader,
    values: argparse.Namespace,
    console: Console,
) -> list[str]:
    """Return the columns that the file of predictions repeats, and say which are absent."""
    if absent := find_absent_columns(model, reader.columns):
        console.warn(
            f"{values.data} lacks {', '.join(absent)}, which the model reads; rows are predicted "
            "without."
        )
    asked = [*([] if values.id is None else [values.id]), *(values.columns or ())]
    check_columns(block, asked)
    known = training_of(model).get("id")
    named = [known] if values.id is None and known in reader.columns else []
    return list(dict.fromkeys([*named, *asked]))


def _make_rows(
    block: pd.DataFrame,
    copied: list[str],
    model: Any,
    classes: list[str],
    scored: Any,
    bad: list[BadRow],
) -> pd.DataFrame:
    """Return the rows of the file of predictions in order, also those without a prediction."""
    import numpy as np
    import pandas as pd

    from multimodal_ensemble.metrics import apply_thresholds

    y_score = np.full((len(block), len(classes)), np.nan)
    y_pred = np.zeros_like(y_score, dtype=bool)
    if scored.parts:
        found = np.concatenate(scored.parts)
        y_score[scored.positions] = found
        y_pred[scored.positions] = apply_thresholds(found, model.thresholds_).astype(bool)
    rows = pd.DataFrame({"row": block.index, **{name: block[name].tolist() for name in copied}})
    rows["labels"] = [
        [label for label, is_there in zip(classes, row, strict=True) if is_there] for row in y_pred
    ]
    scores = pd.DataFrame(y_score, columns=[f"score_{label}" for label in classes])
    rows = pd.concat([rows, scores], axis=1)
    reasons = {each.row: each.reason for each in bad}
    damaged = [number for number in reasons if number not in set(block.index)]
    if damaged:
        extra = pd.DataFrame({"row": damaged, "labels": [[] for _ in damaged]})
        rows = pd.concat([rows, extra]).sort_values("row", ignore_index=True)
    rows["error"] = [reasons.get(number) for number in rows["row"]]
    return rows


PREDICT = Command(
    "predict",
    "Predict the labels of the rows of a file, of any length.\n"
    "The file of predictions has the number of each row, its labels, the score of each label, "
    "and the reason where a row cannot be predicted. A second file, with .json behind its name, "
    "has the thresholds.",
    _add_arguments,
    _execute,
)
