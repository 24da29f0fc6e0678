"""The arguments of a comparison, checked and paired by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Sized
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multimodal_ensemble._label_names import as_strings, in_label_order
from multimodal_ensemble._labels import read_labels
from multimodal_ensemble._tables import (
    abbreviate,
    check_same_index,
    from_arrow,
    number_groups,
    to_python,
)
from multimodal_ensemble._validation import (
    FloatArray,
    check_at_least,
    check_choice,
    check_label_matrix,
    check_label_names,
    check_level,
    check_scores,
    find_repeated,
)
from multimodal_ensemble.metrics import apply_thresholds
from multimodal_ensemble.model_selection._comparison_split import ComparisonSplit
from multimodal_ensemble.model_selection._comparison_statistics import METRICS


def read_comparison_inputs(
    y_true: Any,
    splits: Sequence[ComparisonSplit],
    *,
    labels: Sequence[str] | None,
    rows: Sequence[Any] | None,
    groups: Any,
    **options: Any,
) -> dict[str, Any]:
    """Return the fields of a `ComparisonResult`, or raise a ValueError."""
    y_true = from_arrow(y_true, name="y_true")
    check_same_index(y_true=y_true, groups=groups)
    positive, classes = read_labels(y_true, name="y_true")
    columns = classes.tolist()
    is_named = columns != list(range(len(columns)))
    names = check_label_names(labels, len(columns), columns=columns if is_named else None)
    table = y_true if isinstance(y_true, pd.DataFrame | pd.Series) else None
    default = range(len(positive)) if table is None else table.index
    splits = list(splits)
    if not splits or not all(isinstance(split, ComparisonSplit) for split in splits):
        msg = "splits must be a sequence of one or more ComparisonSplit objects."
        raise ValueError(msg)
    models = check_models(splits[0].y_scores, name="y_scores")
    return {
        "y_true": positive,
        "splits": tuple(
            _read_split(split, f"splits[{number}]", models, names, positive.shape, table)
            for number, split in enumerate(splits)
        ),
        "labels": names,
        "rows": _read_row_names(default if rows is None else rows, len(positive)),
        "groups": None if groups is None else number_groups(groups, len(positive)),
        **check_options(models, **options),
    }


def check_models(given: Any, *, name: str) -> list[str]:
    """Return the names of models, or raise a ValueError unless they are non-empty strings."""
    is_named = isinstance(given, Mapping) and all(
        isinstance(model, str) and model.strip() for model in given
    )
    if not is_named or not given:
        is_mapping = isinstance(given, Mapping)
        received = f"the names {abbreviate(given)}" if is_mapping else _type_and_length(given)
        msg = (
            f"{name} must be a mapping with the name of each model, a string, as its key, such as "
            f"{{'tags': ..., 'posters and tags': ...}}. Received {received}."
        )
        raise ValueError(msg)
    return [str(model) for model in given]


def _type_and_length(given: Any) -> str:
    """Return a short text for a value whose own text may be pages long."""
    length = f" of length {len(given)}" if isinstance(given, Sized) else ""
    return f"{type(given).__name__}{length}"


def check_options(
    models: Sequence[str],
    *,
    metrics: Any,
    baseline: str | None,
    n_resamples: int,
    level: float,
    random_state: int,
) -> dict[str, Any]:
    """Return checked options of a comparison."""
    listed = [metrics] if isinstance(metrics, str) else list(metrics)
    for metric in listed:
        check_choice(metric, tuple(METRICS), name="metrics")
    if not listed or find_repeated(listed):
        msg = f"metrics must name at least one metric, and none twice. Received {listed}."
        raise ValueError(msg)
    baseline = models[0] if baseline is None else baseline
    check_choice(baseline, models, name="baseline")
    check_at_least(n_resamples, 1, name="n_resamples")
    check_at_least(random_state, 0, name="random_state")
    check_level(level)
    return {
        "metrics": tuple(listed),
        "baseline": baseline,
        "n_resamples": int(n_resamples),
        "level": float(level),
        "random_state": int(random_state),
    }


def _read_row_names(rows: Iterable[Any], n_rows: int) -> NDArray[Any]:
    """Return names as an integer array, or as strings."""
    names = [to_python(name) for name in rows]
    if len(names) != n_rows:
        msg = f"rows must name all {n_rows} rows of y_true. Received {len(names)} names."
        raise ValueError(msg)
    are_numbers = all(type(name) is int and abs(name) < 2**63 for name in names)
    return np.array(names, dtype=np.int64) if are_numbers else np.array(as_strings(names))


def _read_split(
    split: ComparisonSplit,
    name: str,
    models: Sequence[str],
    labels: Sequence[str],
    shape: tuple[int, int],
    table: pd.DataFrame | pd.Series | None,
) -> ComparisonSplit:
    rows = np.asarray(split.rows if isinstance(split.rows, np.ndarray) else list(split.rows))
    if rows.ndim != 1 or rows.dtype.kind not in "iu" or not len(rows):
        msg = (
            f"rows of {name} must be the positions of one or more test rows. Received an array of "
            f"shape {rows.shape} and dtype {rows.dtype}."
        )
        raise ValueError(msg)
    if rows.min() < 0 or rows.max() >= shape[0]:
        msg = (
            f"rows of {name} must be positions from 0 to {shape[0] - 1}. Received {rows.min()} to "
            f"{rows.max()}."
        )
        raise ValueError(msg)
    if repeated := find_repeated(rows.tolist()):
        msg = f"rows of {name} must be distinct. Received {abbreviate(repeated)} more than once."
        raise ValueError(msg)
    check_at_least(split.repeat, 0, name=f"repeat of {name}")
    for field in ("y_scores", "thresholds"):
        given = getattr(split, field)
        if not isinstance(given, Mapping) or set(given) != set(models):
            received = abbreviate(given) if isinstance(given, Mapping) else _type_and_length(given)
            msg = (
                f"{field} of {name} must have one entry for each model of the first split, "
                f"{list(models)}. Received {received}."
            )
            raise ValueError(msg)
    truth = None if table is None else table.iloc[rows]
    y_scores, thresholds = {}, {}
    for model in models:
        where = f"{name}, model {model!r}"
        y_scores[model] = _read_scores(split.y_scores[model], where, labels, len(rows), truth)
        limits = in_label_order(split.thresholds[model], labels, name=f"thresholds of {where}")
        try:
            apply_thresholds(y_scores[model][:1], limits)
        except ValueError as error:
            msg = f"{where}: {error}"
            raise ValueError(msg) from error
        thresholds[model] = np.broadcast_to(
            np.asarray(limits, dtype=np.float64), (len(labels),)
        ).copy()
    seconds = {model: float(value) for model, value in split.seconds.items()}
    y_preds = None
    if split.y_preds is not None:
        shape = (len(rows), len(labels))
        y_preds = {model: _read_predictions(split.y_preds, model, name, shape) for model in models}
    return ComparisonSplit(
        rows.astype(np.intp), y_scores, thresholds, int(split.repeat), seconds, y_preds
    )


def _read_predictions(
    given: Any, model: str, name: str, shape: tuple[int, int]
) -> NDArray[np.bool_]:
    where = f"y_preds of {name}, model {model!r}"
    if not isinstance(given, Mapping) or model not in given:
        msg = f"y_preds of {name} must have one entry for each model. It has none for {model!r}."
        raise ValueError(msg)
    predicted = check_label_matrix(given[model], name=where)
    if predicted.shape != shape:
        msg = f"{where} must have shape (n_test, n_labels), {shape}. Received {predicted.shape}."
        raise ValueError(msg)
    return predicted


def _read_scores(
    given: Any, where: str, labels: Sequence[str], n_rows: int, truth: Any
) -> FloatArray:
    name = f"y_scores of {where}"
    given = from_arrow(given, name=name)
    if isinstance(given, pd.DataFrame):
        check_same_index(**{"y_true": truth, name: given})
        given = in_label_order(given, labels, name=name)
    try:
        scores = check_scores(given).astype(np.float64, copy=False)
    except ValueError as error:
        msg = f"{where}: {error}"
        raise ValueError(msg) from error
    if scores.shape != (n_rows, len(labels)):
        msg = (
            f"{name} must have shape (n_test, n_labels), ({n_rows}, {len(labels)}). Received "
            f"{scores.shape}."
        )
        raise ValueError(msg)
    return scores
