"""Tables that compare models, and tables in Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from multimodal_ensemble._label_names import in_label_order, names_of
from multimodal_ensemble._markdown import markdown_table
from multimodal_ensemble._tables import from_arrow
from multimodal_ensemble._validation import check_label_matrix
from multimodal_ensemble.metrics import apply_thresholds, label_report, mean_accuracy


def compare_models(
    y_true: Any, y_scores: Mapping[str, Any], thresholds: Mapping[str, Any]
) -> pd.DataFrame:
    """Compare the metrics of models on the same rows, each at its own thresholds.

    Parameters
    ----------
    y_true : array-like of shape (n_samples, n_labels)
        Multi-hot labels, 0 or 1.
    y_scores : mapping of str to array-like of shape (n_samples, n_labels)
        Scores of each model.
    thresholds : mapping of str to array-like of shape (n_labels,)
        Thresholds of each model. They must have been chosen on other rows.

    Returns
    -------
    DataFrame
        One row per model, in the order of `y_scores`. The index is named ``model``. The columns
        are ``mean_roc_auc``, ``mean_accuracy``, ``micro_f1`` and ``macro_f1``, all in 0..1. F1 is
        0 for a label that is never predicted.

    Raises
    ------
    KeyError
        If a model has no thresholds.
    ValueError
        If labels, scores or thresholds are invalid; see `label_report`.

    Examples
    --------
    >>> from multimodal_ensemble.reporting import compare_models
    >>> table = compare_models(
    ...     [[1, 0], [0, 1], [0, 0]],
    ...     {"good": [[0.9, 0.1], [0.2, 0.8], [0.1, 0.3]], "constant": [[0.5, 0.5]] * 3},
    ...     {"good": [0.5, 0.5], "constant": [1.0, 1.0]},
    ... )
    >>> table.round(2)["mean_accuracy"].to_dict()
    {'good': 1.0, 'constant': 0.67}
    """
    rows = {}
    truth = from_arrow(y_true, name="y_true")
    scores = {model: from_arrow(given, name="y_score") for model, given in y_scores.items()}
    # Names of labels that one model has hold for all models.
    tables = [truth, *scores.values(), *(thresholds[model] for model in scores)]
    named = [table for table in tables if isinstance(table, pd.DataFrame | pd.Series)]
    labels = names_of(named[0]) if named else None
    positive = check_label_matrix(truth)
    for model, given in scores.items():
        y_score = in_label_order(given, labels, name="y_score")
        if given is not y_scores[model]:
            # Tables of other libraries have no index labels, which y_true would have to match.
            y_score = np.asarray(y_score)
        limits = in_label_order(thresholds[model], labels, name="thresholds")
        report = label_report(y_true, y_score, limits)
        # The report has one threshold per label also where a single one is given.
        limits = report["threshold"].to_numpy()
        predicted = apply_thresholds(np.asarray(y_score), limits).astype(bool)
        n_either = int(positive.sum() + predicted.sum())
        rows[model] = {
            "mean_roc_auc": report["roc_auc"].mean(),
            "mean_accuracy": mean_accuracy(y_true, y_score, limits),
            "micro_f1": 2 * int((positive & predicted).sum()) / n_either if n_either else 0.0,
            "macro_f1": report["f1"].mean(),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")


def to_markdown(table: pd.DataFrame, *, digits: int = 3) -> str:
    """Convert a table to Markdown, with its index as the first column.

    Parameters
    ----------
    table : DataFrame
        The table.
    digits : int, default=3
        Number of decimal places of floats.

    Returns
    -------
    str
        The lines of a Markdown table, without a final line break.

    Examples
    --------
    >>> import pandas as pd
    >>> from multimodal_ensemble.reporting import to_markdown
    >>> table = pd.DataFrame({"score": [0.75]}, index=pd.Index(["tags"], name="model"))
    >>> print(to_markdown(table))
    | model | score |
    |:------|------:|
    | tags  | 0.750 |
    """
    header = [str(table.index.name or ""), *map(str, table.columns)]
    body = [
        [_cell(value, digits) for value in (index, *row)]
        for index, row in zip(table.index, table.itertuples(index=False), strict=True)
    ]
    is_text = [True, *(not pd.api.types.is_numeric_dtype(dtype) for dtype in table.dtypes)]
    return markdown_table(header, body, is_text=is_text)


def _cell(value: Any, digits: int) -> str:
    if isinstance(value, float):
        return f"{value:.{digits}f}"
    return str(value)
