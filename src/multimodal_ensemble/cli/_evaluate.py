"""The command ``evaluate``."""

from __future__ import annotations

import argparse

from multimodal_ensemble.cli._arguments import (
    add_labels,
    add_model_and_data,
    add_seed,
    root_of,
)
from multimodal_ensemble.cli._command import Add, Command
from multimodal_ensemble.cli._console import Console
from multimodal_ensemble.cli._errors import UsageError
from multimodal_ensemble.cli._evaluation import keeping_features, measure_rows, write_model_report
from multimodal_ensemble.cli._models import check_output, digest_of, load_model, training_of
from multimodal_ensemble.cli._row_reader import read_table


def _add_arguments(add: Add) -> None:
    add_model_and_data(add, "file of rows with labels")
    add_labels(add, is_required=False)
    add("--report", metavar="FILE", help="also write a page about these rows, as HTML")
    add_seed(add)


def _execute(values: argparse.Namespace, console: Console) -> None:
    report = (
        None
        if values.report is None
        else check_output(values.report, values.model, values.data, option="--report")
    )
    model = load_model(values, store=values.store)
    training = training_of(model)
    columns = values.labels or training.get("labels")
    if not columns:
        msg = "The model does not know the column of the labels; name it with --labels."
        raise UsageError(msg)
    table = read_table(values.data, values, console)
    known = training.get("sha256")
    if known is not None and known == digest_of(values.data):
        console.warn(
            f"the model was trained on rows of {values.data}, so that the figures are too good; "
            "evaluate it on a file of other rows, or hold some out with train --test-size."
        )
    with keeping_features(model, is_needed=report is not None):
        measured = measure_rows(
            model,
            table,
            columns,
            console,
            root=root_of(values, values.data),
            delimiter=values.label_delimiter,
            groups=training.get("groups"),
            seed=values.seed,
        )
        if report is not None:
            write_model_report(model, measured, report, title=f"{values.model}: {values.data}")
            console.note(f"The report is {report}.")
    console.show(
        str(measured.figures),
        {
            "model": values.model,
            "data": values.data,
            **measured.figures.to_json(),
            "bad_rows": [vars(each) for each in measured.bad],
            "report": None if report is None else str(report),
        },
    )


EVALUATE = Command(
    "evaluate",
    "Compute the scores of a model on rows with labels.\n"
    "Prints the figures with 95 % intervals, beside a trivial benchmark. Rows that were used in "
    "training make them too good.",
    _add_arguments,
    _execute,
)
