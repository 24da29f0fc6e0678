"""Checks of the results of a study, and defaults that depend on the scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from multimodal_ensemble._tables import abbreviate
from multimodal_ensemble.model_selection import ComparisonResult
from multimodal_ensemble.reporting._study._check_gallery import check_gallery

# The family of models that are in no other one.
OTHER_FAMILY = "models"
# The columns of each table, and whether they hold numbers.
COLUMNS: dict[str, dict[str, bool]] = {
    "importance": {
        "modality": False,
        "case": False,
        "label": False,
        "difference": True,
        "difference_low": True,
        "difference_high": True,
    },
    "learning_curve": {"n_rows": True, "model": False, "score": True, "low": True, "high": True},
    "label_tokens": {"label": False, "token": False, "weight": True},
    "histories": {"step": True, "loss": True, "mean_roc_auc": True, "mean_accuracy": True},
}


# The columns that identify a row of a table.
_KEYS = {"importance": ["modality", "case", "label"], "learning_curve": ["n_rows", "model"]}


def check_results(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of `StudyResults`, or raise a ValueError."""
    comparison = given["comparison"]
    if not isinstance(comparison, ComparisonResult):
        msg = (
            "comparison must be a ComparisonResult, from compare or ComparisonResult.from_scores. "
            f"Received {type(comparison).__name__}."
        )
        raise ValueError(msg)
    for name in ("families", "histories", "provenance"):
        if not isinstance(given[name], Mapping):
            msg = f"{name} must be a mapping, by name. Received {type(given[name]).__name__}."
            raise ValueError(msg)
    for name in ("claims", "gallery", "notes"):
        if isinstance(given[name], str) or not isinstance(given[name], Iterable):
            msg = f"{name} must be a sequence. Received {given[name]!r:.80}."
            raise ValueError(msg)
    models = comparison.models
    trivial = given["trivial"]
    _check_models(given["families"], models, "families")
    _check_models([] if trivial is None else [trivial], models, "trivial")
    families = {model: str(given["families"].get(model, OTHER_FAMILY)) for model in models}
    order = rank_models(comparison, trivial)
    shown = {"importance": given["importance"] is not None, "gallery": bool(given["gallery"])}
    about = [name for name, is_given in shown.items() if is_given]
    if about and given["model"] is None and len(models) > 1:
        msg = (
            f"model must name the model that {' and '.join(about)} belong to, one of "
            f"{abbreviate(models)}. Received model=None."
        )
        raise ValueError(msg)
    model = order[0] if given["model"] is None else given["model"]
    _check_models([model], models, "model")
    claims = [tuple(pair) for pair in given["claims"]]
    for pair in claims:
        _check_models(pair, models, "claims")
        if len(set(pair)) != 2 or len(pair) != 2:
            msg = f"claims must be pairs of two different models. Received {pair}."
            raise ValueError(msg)
    return {
        "comparison": comparison,
        **{name: str(given[name]) for name in ("title", "unit", "label_unit")},
        "families": families,
        "trivial": trivial,
        "model": model,
        "claims": tuple(claims or choose_claims(order, families, comparison.baseline, trivial)),
        "histories": {
            str(name): _read_table(table, "histories", f"histories[{name!r}]")
            for name, table in given["histories"].items()
        },
        **{
            name: None if given[name] is None else _read_table(given[name], name, name)
            for name in ("importance", "learning_curve", "label_tokens")
        },
        "gallery": check_gallery(given["gallery"], comparison.labels),
        "notes": tuple(str(note) for note in given["notes"]),
        **{
            name: {str(key): str(value) for key, value in given[name].items()}
            for name in ("provenance", "terms")
        },
    }


def rank_models(comparison: ComparisonResult, trivial: str | None) -> list[str]:
    """Return the models by the first metric, the best one first and the trivial one last."""
    table = comparison.table
    scores = table[table["metric"] == comparison.metrics[0]].set_index("model")["score"]
    defined = scores.fillna(-np.inf)
    return sorted(comparison.models, key=lambda model: (model == trivial, -defined[model]))


def choose_claims(
    order: Sequence[str], families: Mapping[str, str], baseline: str, trivial: str | None
) -> list[tuple[str, str]]:
    """Return the best model with the baseline, the next of its family, and each other family's."""
    best = order[0]
    next_of_family = {families[model]: model for model in reversed(order[1:]) if model != trivial}
    others = [baseline, *(model for model in order if model in next_of_family.values())]
    return [(best, other) for other in dict.fromkeys(others) if other != best]


def _check_models(names: Iterable[Any], models: Sequence[str], name: str) -> None:
    if unknown := [each for each in names if each not in models]:
        msg = (
            f"{name} must name models of the comparison: {abbreviate(models)}. Received "
            f"{abbreviate(unknown)}."
        )
        raise ValueError(msg)


def _read_table(table: Any, kind: str, name: str) -> pd.DataFrame:
    """Return the columns that the report uses: strings and float64 numbers."""
    columns = COLUMNS[kind]
    absent = [column for column in columns if column not in getattr(table, "columns", ())]
    if absent or not len(table):
        fault = f"without the columns {absent}" if absent else "without rows"
        msg = f"{name} must be a DataFrame with the columns {list(columns)}. Received one {fault}."
        raise ValueError(msg)
    try:
        read = pd.DataFrame(
            {
                column: table[column].to_numpy(dtype=np.float64)
                if is_number
                else ["" if pd.isna(value) else str(value) for value in table[column]]
                for column, is_number in columns.items()
            }
        )
    except (TypeError, ValueError) as error:
        numbers = [column for column, is_number in columns.items() if is_number]
        msg = f"{name} must have numbers in the columns {numbers}: {error}"
        raise ValueError(msg) from error
    keys = _KEYS.get(kind, [])
    if keys and (n_repeated := int(read.duplicated(keys).sum())):
        listed = f"{', '.join(keys[:-1])} and {keys[-1]}"
        msg = f"{name} must have one row per {listed}. Received {n_repeated} more."
        raise ValueError(msg)
    return read
