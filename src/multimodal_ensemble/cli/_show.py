"""The command ``show``."""

from __future__ import annotations

import argparse
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from multimodal_ensemble.cli._arguments import add_model
from multimodal_ensemble.cli._command import Add, Command
from multimodal_ensemble.cli._console import Console
from multimodal_ensemble.cli._figures import Figures
from multimodal_ensemble.cli._models import check_model_file, thresholds_of, training_of

if TYPE_CHECKING:
    from multimodal_ensemble.estimators import EncoderSummary, EstimatorSummary


def _add_arguments(add: Add) -> None:
    add_model(add)


def _execute(values: argparse.Namespace, console: Console) -> None:
    check_model_file(values.model)
    from multimodal_ensemble.estimators import read_summary

    model = read_summary(values.model)
    provenance, training = model.provenance_, training_of(model)
    figures = _read_figures(training)
    lines = [
        f"{values.model}: {model.kind}, trained {provenance['trained_at']} on "
        f"{provenance['n_train']:,} rows{_describe_source(training)}",
        "Reads:",
        *(f"  {', '.join(each.columns)}: {_describe_encoder(each)}" for each in model.encoders_),
        *_describe_classes(model),
        f"Thresholds, which were learned from {provenance['thresholds_from']}:",
        *(f"  {label}: {threshold:.4f}" for label, threshold in thresholds_of(model).items()),
        f"Calibration: {provenance.get('calibration') or 'none'}",
        "Versions: " + ", ".join(f"{key} {each}" for key, each in provenance["versions"].items()),
        f"Seed: {provenance['seed']}",
    ]
    if figures is None:
        lines.append("The file has no figures of test rows; the command evaluate computes them.")
    else:
        lines += [f"Figures of {_describe_test(training['test'])}:", str(figures)]
    console.show(
        "\n".join(lines),
        {
            "model": values.model,
            "kind": model.kind,
            "encoders": [
                {"name": each.name, "kind": each.kind, "columns": each.columns}
                for each in model.encoders_
            ],
            "target": model.target_type_,
            "thresholds": thresholds_of(model),
            "provenance": {
                **provenance,
                "command": {key: each for key, each in training.items() if key != "test"},
            },
            "test": None if figures is None else figures.to_json(),
        },
    )


def _describe_classes(model: EstimatorSummary) -> list[str]:
    if model.target_type_ == "multilabel":
        return []
    names = [str(name) for name in model.classes_.tolist()]
    return [f"Predicts one of {len(names)} classes per row: {', '.join(names)}"]


def _read_figures(training: dict[str, Any]) -> Figures | None:
    # A file may have been changed by hand.
    with suppress(KeyError, TypeError, ValueError, AttributeError):
        return Figures.from_state(training["test"]["figures"])
    return None


def _describe_source(training: dict[str, Any]) -> str:
    if "data" not in training:
        return ""
    interrupted = ", interrupted by Ctrl-C" if training.get("is_interrupted") else ""
    columns = ", ".join(map(str, training.get("labels", ())))
    groups = f"; groups: {training['groups']}" if training.get("groups") else ""
    return f" of {training['data']} (labels: {columns}{groups}){interrupted}"


def _describe_test(test: dict[str, Any]) -> str:
    if test.get("rows"):
        return f"{test['rows']}"
    return f"{test.get('share', 0):.0%} of the rows, which were held out"


def _describe_encoder(encoder: EncoderSummary) -> str:
    network = "" if encoder.backbone is None else f" with {encoder.backbone}"
    return f"{encoder.kind}{network}{', optional' if encoder.optional else ''}"


SHOW = Command(
    "show",
    "Show what a model is.\n"
    "Prints the columns that it reads, its labels and thresholds, the rows that it was trained "
    "on, and the figures of the test rows of train.",
    _add_arguments,
    _execute,
)
