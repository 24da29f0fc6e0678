"""The command ``explain``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from multimodal_ensemble.cli._arguments import add_model_and_data, parse_count, root_of
from multimodal_ensemble.cli._command import Add, Command
from multimodal_ensemble.cli._console import Console
from multimodal_ensemble.cli._errors import CommandError
from multimodal_ensemble.cli._images import check_images
from multimodal_ensemble.cli._models import check_output, load_model, target_of, thresholds_of
from multimodal_ensemble.cli._row_reader import RowReader, open_rows, report_bad_rows
from multimodal_ensemble.cli._scores import check_model_columns, prepare_rows, without_bad_rows

if TYPE_CHECKING:
    import pandas as pd


def _add_arguments(add: Add) -> None:
    add_model_and_data(add, "file of rows")
    add("--rows", nargs="+", type=parse_count, metavar="N", help="numbers of rows, from 1")
    add(
        "--first",
        type=parse_count,
        default=5,
        metavar="N",
        help="number of first rows, unless --rows is given",
    )
    add("--labels", nargs="+", metavar="LABEL", help="labels to explain (default: all)")
    add("--top", type=parse_count, default=5, metavar="N", help="most parts of each score")
    add("--out", metavar="FILE", help="also write all parts to a CSV file")


def _execute(values: argparse.Namespace, console: Console) -> None:
    out = None if values.out is None else check_output(values.out, values.model, values.data)
    reader = open_rows(values.data, values)
    model = load_model(values, store=values.store)
    target = target_of(model)
    # Of two classes, what speaks for one speaks against the other.
    names = {str(label): label for label in target.labels.tolist()}
    if unknown := [label for label in values.labels or () if label not in names]:
        msg = f"The model has no label {unknown[0]!r}. It has {', '.join(names)}."
        raise CommandError(msg)
    labels = None if values.labels is None else [names[label] for label in values.labels]
    table, first_rows = _select_rows(reader, values)
    check_model_columns(model, reader.columns, console)
    prepare_rows(model, table, root_of(values, values.data))
    check_images(model, first_rows)
    predicted: list[Any] = []

    def choose(y_score: Any) -> Any:
        # The explanation has the scores, so that rows are scored once.
        predicted[:] = model.labels_from_scores(y_score)
        return labels

    explanation, table, bad = without_bad_rows(
        lambda rows: model.explain(rows, labels=choose), table
    )
    report_bad_rows(bad, console, what="not explained")
    if explanation is None:
        msg = "No row can be explained; the reasons are above."
        raise CommandError(msg)
    thresholds = thresholds_of(model)
    labels_of = dict(zip(explanation.rows, predicted, strict=True))
    rows = [
        {
            "row": int(score.row),
            "label": str(score.label),
            "score": float(score.score),
            "threshold": thresholds[str(score.label)],
            "is_predicted": score.label == labels_of[score.row]
            if target.is_single
            else score.label in labels_of[score.row],
            "parts": explanation.top(score.row, score.label, values.top).to_dict("records"),
        }
        for score in explanation.scores.itertuples()
    ]
    if out is not None:
        _list_parts(explanation).to_csv(out, index=False, lineterminator="\n")
        console.note(f"All parts are in {out}.")
    text = "\n".join(
        [
            f"Contributions to log-odds ({explanation.method}); positive ones speak for a label.",
            *_describe(rows, has_limits=target.kind != "multiclass"),
        ]
    )
    value = {"method": explanation.method, "rows": rows, "bad_rows": [vars(each) for each in bad]}
    console.show(text, value)


def _select_rows(
    reader: RowReader, values: argparse.Namespace
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the wanted rows, up to the last of which the file is read, and its first rows."""
    import pandas as pd

    wanted = set(values.rows or range(1, values.first + 1))
    parts: list[pd.DataFrame] = []
    first_rows = pd.DataFrame()
    for block in reader.blocks():
        first_rows = first_rows if parts else block
        parts.append(block[block.index.isin(wanted)])
        if block.index[-1] >= max(wanted):
            break
    found = pd.concat(parts) if parts else None
    if found is None or found.empty:
        msg = f"{str(reader.path)!r} has none of these rows, or they are damaged."
        raise CommandError(msg)
    absent = wanted - set(found.index)
    if values.rows is not None and absent:
        msg = f"{str(reader.path)!r} has no row {min(absent)}, or it is damaged."
        raise CommandError(msg)
    return found, first_rows


def _describe(rows: list[dict[str, Any]], *, has_limits: bool) -> list[str]:
    lines = []
    for number in dict.fromkeys(each["row"] for each in rows):
        lines.append(f"row {number}")
        for each in sorted(
            (each for each in rows if each["row"] == number), key=lambda each: -each["score"]
        ):
            parts = ", ".join(
                f"{part['part']} {part['contribution']:+.2f}" for part in each["parts"]
            )
            if has_limits:
                sign = ">=" if each["is_predicted"] else "<"
                decision = f" {sign} {each['threshold']:.3f}"
            else:
                decision = " (predicted)" if each["is_predicted"] else ""
            lines.append(f"  {each['label']}: {each['score']:.3f}{decision}: {parts}")
    return lines


def _list_parts(explanation: Any) -> pd.DataFrame:
    """Return the contributions of modalities, tokens and columns in one table."""
    import pandas as pd

    tables = {
        "modality": explanation.modalities.assign(part=explanation.modalities["modality"]),
        "token": explanation.tokens.rename(columns={"token": "part"}),
        "column": explanation.columns.rename(columns={"column": "part"}),
    }
    names = ["row", "label", "kind", "modality", "part", "contribution"]
    parts = [table.assign(kind=kind)[names] for kind, table in tables.items() if len(table)]
    listed: pd.DataFrame = pd.concat(parts, ignore_index=True)
    return listed


EXPLAIN = Command(
    "explain",
    "Explain the scores of rows.\n"
    "Prints how much each word, keyword, column and image adds to the log-odds of each label.",
    _add_arguments,
    _execute,
)
