"""The command ``compare``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from multimodal_ensemble.cli._arguments import (
    add_columns,
    add_data,
    add_training,
    add_training_labels,
    columns_aside,
    parse_count,
)
from multimodal_ensemble.cli._command import Add, Command
from multimodal_ensemble.cli._console import Console
from multimodal_ensemble.cli._encoders import choose_encoders
from multimodal_ensemble.cli._errors import UsageError
from multimodal_ensemble.cli._figures import TRIVIAL
from multimodal_ensemble.cli._groups import add_groups, check_groups, read_groups
from multimodal_ensemble.cli._labels import read_row_labels
from multimodal_ensemble.cli._models import MODELS, check_calibration, check_output, make_model
from multimodal_ensemble.cli._row_reader import read_table

if TYPE_CHECKING:
    from multimodal_ensemble.encoders import Encoder


def _add_arguments(add: Add) -> None:
    add_data(add, "file of rows with labels")
    add_training_labels(add)
    add(
        "--models",
        nargs="+",
        metavar="MODEL",
        help="ensemble, network, trivial, or one that reads only some columns, such as "
        "ensemble:plot or network:poster,plot (default: trivial ensemble network)",
    )
    add("--folds", type=parse_count, default=5, metavar="N", help="number of folds")
    add_groups(add, "folds and the trainings on them")
    add("--repeats", type=parse_count, default=1, metavar="N", help="seeds of each fold")
    add("--keep", metavar="FOLDER", help="keeps finished fits, so that a later call goes on")
    add("--report", metavar="FILE", help="also write a page, as HTML")
    add_columns(add)
    add_training(add)


def _execute(values: argparse.Namespace, console: Console) -> None:
    if values.folds < 2:
        msg = f"--folds must be at least 2. Received {values.folds}."
        raise UsageError(msg)
    report = (
        None
        if values.report is None
        else check_output(values.report, values.data, option="--report")
    )
    names = values.models or [TRIVIAL, *MODELS]
    for name in names:
        if name.partition(":")[0] not in (TRIVIAL, *MODELS) or names.count(name) > 1:
            msg = (
                f"--models takes {', '.join((TRIVIAL, *MODELS))}, each once, and columns behind a "
                f"colon. Received {name}."
            )
            raise UsageError(msg)
    check_calibration([name.partition(":")[0] for name in names], values, console)
    table = read_table(values.data, values, console)
    labels = read_row_labels(
        table,
        values.labels,
        console,
        delimiter=values.label_delimiter,
        min_count=values.min_label_count,
    )
    table = labels.rows_of(table)
    groups = read_groups(table, values)
    if groups is not None:
        at_least, why = values.folds, f"each of the {values.folds} folds has whole groups"
        if at_least == 2 and {name.partition(":")[0] for name in names} & set(MODELS):
            at_least, why = 4, "each of the 2 folds needs two groups, which the training divides"
        check_groups(groups, values.groups, at_least=at_least, why=why)
    encoders = choose_encoders(table, values, console, embed_tags=True)
    from multimodal_ensemble.model_selection import compare

    if values.keep is not None:
        console.kept = f"finished fits are kept in {values.keep}; the same command goes on"
    result = compare(
        {name: _make_estimator(name, encoders, values) for name in names},
        table.drop(columns=columns_aside(values)),
        labels.for_comparison(),
        cv=values.folds,
        repeats=values.repeats,
        groups=groups,
        metrics=("mean_roc_auc", "mean_accuracy", "macro_f1"),
        store=values.store,
        random_state=values.seed,
        path=values.keep,
        verbose=console.verbose,
    )
    if report is not None:
        from multimodal_ensemble.reporting import StudyResults, write_report

        trivial = TRIVIAL if TRIVIAL in names else None
        write_report(StudyResults(result, title=str(values.data), trivial=trivial), report)
        console.note(f"The report is {report}.")
    value = {
        "data": values.data,
        "n_rows": len(table),
        "folds": values.folds,
        "table": result.table.to_dict("records"),
        "report": None if report is None else str(report),
    }
    console.show(str(result), value)


def _make_estimator(name: str, encoders: list[Encoder], values: argparse.Namespace) -> Any:
    """Return the estimator that a name such as "ensemble:plot" stands for."""
    kind, sign, listed = name.partition(":")
    if kind == TRIVIAL:
        from multimodal_ensemble.cli._trivial import TrivialClassifier

        return TrivialClassifier()
    columns = listed.split(",")
    chosen = [each for each in encoders if not sign or set(each.columns) <= set(columns)]
    read = {column for each in chosen for column in each.columns}
    if sign and (unread := [column for column in columns if column not in read]):
        known = sorted({column for each in encoders for column in each.columns})
        msg = (
            f"--models {name}: {unread[0]!r} is not read on its own. Columns that are read: "
            f"{', '.join(known)}; columns of numbers are read together, unless --exclude leaves "
            "some out."
        )
        raise UsageError(msg)
    return make_model(kind, chosen, values)


COMPARE = Command(
    "compare",
    "Compare models on the same folds of a file.\n"
    "Prints the mean scores and their differences with 95 % intervals.",
    _add_arguments,
    _execute,
)
