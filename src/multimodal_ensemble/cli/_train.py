"""The command ``train``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from multimodal_ensemble.cli._arguments import (
    add_columns,
    add_data,
    add_training,
    add_training_labels,
    columns_aside,
    parse_share,
    root_of,
)
from multimodal_ensemble.cli._command import Add, Command
from multimodal_ensemble.cli._console import Console, describe_seconds
from multimodal_ensemble.cli._encoders import check_columns, choose_encoders
from multimodal_ensemble.cli._errors import UsageError
from multimodal_ensemble.cli._evaluation import keeping_features, measure_rows, write_model_report
from multimodal_ensemble.cli._figures import Figures
from multimodal_ensemble.cli._groups import (
    add_groups,
    check_groups,
    read_groups,
    take_groups,
    warn_of_shared_groups,
)
from multimodal_ensemble.cli._labels import (
    RowLabels,
    check_known_labels,
    find_separator,
    read_row_labels,
    select_labels,
)
from multimodal_ensemble.cli._models import (
    MODELS,
    TRAINED,
    check_calibration,
    check_output,
    digest_of,
    list_encoders,
    make_model,
    thresholds_of,
)
from multimodal_ensemble.cli._row_reader import read_table
from multimodal_ensemble.cli._scores import naming_rows

if TYPE_CHECKING:
    import pandas as pd


def _add_arguments(add: Add) -> None:
    add_data(add, "file of training rows")
    add_training_labels(add)
    add("--out", required=True, metavar="FILE", help="file of the model, such as model.mme")
    add("--model", choices=MODELS, default=MODELS[0], help="linear models, or one network")
    add(
        "--test-size",
        type=parse_share,
        metavar="SHARE",
        help="share of the rows, such as 0.2, that is held out and evaluated",
    )
    add_groups(add, "--test-size and the training")
    add("--test", metavar="DATA", help="file of other rows that are evaluated")
    add("--report", metavar="FILE", help="also write a page about the test rows, as HTML")
    add_columns(add)
    add_training(add)


def _execute(values: argparse.Namespace, console: Console) -> None:
    if values.test_size is not None and values.test is not None:
        msg = "--test-size holds out rows and --test names other rows; give one of them."
        raise UsageError(msg)
    if values.test is not None and Path(values.test).resolve() == Path(values.data).resolve():
        msg = "--test names the training rows themselves; --test-size 0.2 holds some of them out."
        raise UsageError(msg)
    if values.report is not None and values.test_size is None and values.test is None:
        msg = "--report is about test rows; give --test-size 0.2 or --test FILE."
        raise UsageError(msg)
    if values.epochs is not None and values.model != "network":
        console.warn("--epochs has no effect on the ensemble; it is for --model network.")
    check_calibration([values.model], values, console)
    out = check_output(values.out, values.data, values.test)
    report = (
        None
        if values.report is None
        else check_output(values.report, values.data, values.test, values.out, option="--report")
    )
    table = read_table(values.data, values, console)
    labels = read_row_labels(table, values.labels, console, delimiter=values.label_delimiter)
    table = labels.rows_of(table)
    check_columns(table, columns_aside(values))
    groups = read_groups(table, values)
    rows, test_rows = _split(labels, groups, values, console)
    train = table.iloc[rows].copy()
    test = table.iloc[test_rows].copy()
    if values.test is not None:
        # What is wrong with it is said before the training.
        test = read_table(values.test, values, console)
        given = select_labels(test, values.labels)
        separator = values.label_delimiter or find_separator(
            given, labels.target, values.labels, labels.delimiter
        )
        check_known_labels(given, labels.target, values.labels, separator)
        if groups is not None:
            warn_of_shared_groups(train, test, values.groups, console)
    encoders = choose_encoders(train, values, console, embed_tags=values.model == "ensemble")
    model = make_model(values.model, encoders, values).set_params(
        label_delimiter=labels.delimiter, min_label_count=values.min_label_count
    )
    kept = {
        "data": Path(values.data).name,
        "sha256": digest_of(values.data),
        "n_rows": len(table),
        "labels": list(values.labels),
        "id": values.id,
        "groups": values.groups,
    }
    if values.store is not None:
        console.kept = f"features that are finished are kept in {values.store}"
    try:
        with naming_rows(train):
            model.fit(
                train.drop(columns=columns_aside(values)),
                labels.values.iloc[rows],
                **take_groups(groups, rows),
            )
    except KeyboardInterrupt:
        if hasattr(model, "thresholds_"):
            model.provenance_[TRAINED] = {**kept, "is_interrupted": True}
            model.save(out)
            console.kept = f"the best weights so far are in {out}, without an evaluation"
        raise
    model.provenance_[TRAINED] = kept
    # An interrupted evaluation leaves the trained model.
    model.save(out)
    console.kept = f"the model is in {out}, without an evaluation"
    figures = None
    if len(test):
        with keeping_features(model, is_needed=report is not None):
            figures = _measure(model, test, kept, values, console, out=out, report=report)
    seconds = float(model.provenance_["seconds"])
    lines = [
        f"The model is {out}: {len(rows):,} training rows, {_count_labels(model)}, "
        f"trained in {describe_seconds(seconds)}."
    ]
    if figures is None:
        lines.append("It was not evaluated on other rows; --test-size 0.2 holds some out.")
    else:
        lines = [f"{figures}\n", *lines]
    console.show(
        "\n".join(lines),
        {
            "model": str(out),
            "n_train": len(rows),
            "labels": [str(label) for label in model.classes_.tolist()],
            "thresholds": thresholds_of(model),
            "encoders": list_encoders(model.encoders_),
            "seconds": seconds,
            "test": None if figures is None else figures.to_json(),
            "report": None if report is None else str(report),
        },
    )


def _measure(
    model: Any,
    test: pd.DataFrame,
    kept: dict[str, Any],
    values: argparse.Namespace,
    console: Console,
    *,
    out: Path,
    report: Path | None,
) -> Figures:
    """Return the figures of test rows, which the file of the model also gets, and write the page.

    `kept` is what the provenance of the model keeps of the command.
    """
    try:
        measured = measure_rows(
            model,
            test,
            values.labels,
            console,
            root=root_of(values, values.test or values.data),
            delimiter=values.label_delimiter if values.test else model.label_delimiter,
            groups=values.groups,
            seed=values.seed,
        )
    except Exception:
        console.warn(console.kept)
        raise
    kept["test"] = {
        "rows": values.test and Path(values.test).name,
        "share": values.test_size,
        "n_bad": len(measured.bad),
        "figures": measured.figures.to_state(),
    }
    model.save(out)
    console.kept = f"the model is in {out}"
    if report is not None:
        write_model_report(model, measured, report, title=f"{out.name}: {values.data}")
        console.note(f"The report is {report}.")
    return measured.figures


def _split(
    labels: RowLabels,
    groups: pd.Series | None,
    values: argparse.Namespace,
    console: Console,
) -> tuple[list[int], list[int]]:
    """Return the positions of the training rows and of the rows that are held out."""
    n_rows = len(labels.matrix)
    if values.test_size is None:
        return list(range(n_rows)), []
    from multimodal_ensemble.model_selection import stratified_holdout

    rows, test_rows = stratified_holdout(
        labels.matrix,
        values.test_size,
        groups=None if groups is None else groups.to_numpy(),
        random_state=values.seed,
    )
    whole = ""
    if groups is not None:
        n_groups = len(set(groups.iloc[test_rows]))
        whole = f", which are {n_groups:,} of {len(set(groups)):,} groups in {values.groups!r}"
        why = "--test-size holds out whole groups, and the training needs two others"
        check_groups(groups, values.groups, at_least=n_groups + 2, why=why)
    console.note(f"{len(test_rows):,} of {n_rows:,} rows are held out for the evaluation{whole}")
    return rows.tolist(), test_rows.tolist()


def _count_labels(model: Any) -> str:
    what = "labels" if model.target_type_ == "multilabel" else "classes"
    return f"{len(model.classes_)} {what}"


TRAIN = Command(
    "train",
    "Train a model on a file of rows.\n"
    "Columns are read by their values, or as --image, --text, --tags, --numbers and "
    "--categories name them. Rows that are held out with --test-size take no part in the "
    "training or in the choice of thresholds. An existing model is replaced once the new one is "
    "complete.",
    _add_arguments,
    _execute,
)
