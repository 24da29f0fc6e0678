"""The most confident mistakes of an estimator, with their explanation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multimodal_ensemble._target import MULTICLASS, Target
from multimodal_ensemble._validation import FloatArray, check_at_least, check_choice
from multimodal_ensemble.estimators._check_estimator import check_estimator
from multimodal_ensemble.estimators._decisions import choose_matrix
from multimodal_ensemble.linear import log_odds

KINDS = ("false positive", "false negative")
_N_PARTS = 5


def errors(
    estimator: Any, X: Any, y: Any, *, label: Any = None, kind: str | None = None, n: int = 10
) -> pd.DataFrame:
    """Return the most confident mistakes, and what they rest on.

    Parameters
    ----------
    estimator : MultimodalClassifier or MultimodalEnsemble
        A fitted estimator.
    X : DataFrame, mapping of str to sequence, or array-like of shape (n_samples, n_features)
        Rows that it was not trained on.
    y : array-like or DataFrame of shape (n_samples, n_labels), or sequence of label lists
        Their labels.
    label : object, optional
        One of `classes_`. Default: the mistakes of all labels.
    kind : {"false positive", "false negative"}, optional
        Default: both.
    n : int, default=10
        The largest number of mistakes, at least 1.

    Returns
    -------
    DataFrame
        One row per mistake, the most confident first, with the columns ``row`` (its name, or its
        number if there are no names or equal ones), ``label``, ``kind``, ``score``, ``threshold``,
        ``margin``, ``modalities`` and ``parts``, texts with what moves the score most. The margin
        is how far the log-odds of the score are on the wrong side of those of the threshold, or of
        0.5 for a threshold outside 0..1; it is at least 0. Of several classes, a wrong row has two
        mistakes: the predicted class and the true one. Their margin is the logarithm of the
        quotient of both probabilities, each divided by its threshold.

    Raises
    ------
    TypeError
        If `estimator` is of another kind.
    ValueError
        If there is no such label or kind.

    See Also
    --------
    modality_importance : How much each modality matters.

    Examples
    --------
    >>> from multimodal_ensemble import BagOfWordsEncoder, MultimodalEnsemble
    >>> from multimodal_ensemble.estimators import errors
    >>> X = {"tags": [["space", "war"], ["love"], ["war"], ["love", "paris"]] * 25}
    >>> y = [["Action"], ["Romance"], ["Action"], ["Romance"]] * 25
    >>> ensemble = MultimodalEnsemble([BagOfWordsEncoder("tags")], verbose=0).fit(X, y)
    >>> rows = {"tags": [["love", "war"], ["love"]]}
    >>> found = errors(ensemble, rows, [["Action"], ["Action"]])
    >>> found[["row", "label", "kind"]].head(2).values.tolist()
    [[1, 'Action', 'false negative'], [1, 'Romance', 'false positive']]
    """
    check_estimator(estimator)
    check_at_least(n, 1, name="n")
    if kind is not None:
        check_choice(kind, KINDS, name="kind")
    shown = estimator._positions_of(None if label is None else [label])
    table, y_true = estimator._read_truth(X, y)
    y_score = estimator._predict_scores(table)
    thresholds = estimator.thresholds_
    target = estimator._target
    predicted = choose_matrix(y_score, thresholds, target)
    is_wrong = predicted != y_true
    if kind is not None:
        is_wrong &= predicted == (kind == KINDS[0])
    is_wrong[:, np.setdiff1d(np.arange(is_wrong.shape[1]), shown)] = False
    margin = _margins(y_true, y_score, predicted, thresholds, target)
    rows, labels = np.nonzero(is_wrong)
    order = np.argsort(-margin[rows, labels], kind="stable")[:n]
    rows, labels = rows[order], labels[order]
    classes = target.labels.tolist()
    columns = ["row", "label", "kind", "score", "threshold", "margin", "modalities", "parts"]
    if not len(rows):
        return pd.DataFrame(columns=columns)
    chosen = np.unique(rows)
    explanation = estimator.explain(
        table.iloc[chosen].reset_index(drop=True),
        labels=[classes[position] for position in np.unique(labels)],
        background=table,
    )
    names = estimator._names_of_rows(X, table)
    found = []
    for row, position in zip(rows.tolist(), labels.tolist(), strict=True):
        place, name = int(np.searchsorted(chosen, row)), classes[position]
        modalities = explanation.modalities
        top = explanation.top(place, name, _N_PARTS)
        own = modalities[(modalities["row"] == place) & (modalities["label"] == name)]
        found.append(
            [
                names[row],
                name,
                KINDS[0] if predicted[row, position] else KINDS[1],
                float(y_score[row, position]),
                float(thresholds[position]),
                float(margin[row, position]),
                _as_text(own["modality"], own["contribution"]),
                _as_text(top["part"], top["contribution"]),
            ]
        )
    return pd.DataFrame(found, columns=columns)


def _margins(
    y_true: NDArray[np.bool_],
    y_score: NDArray[np.float32],
    predicted: NDArray[np.bool_],
    thresholds: FloatArray,
    target: Target,
) -> FloatArray:
    """Return how far each label is on the wrong side, if it is wrong."""
    if target.kind == MULTICLASS:
        weighed = np.maximum(y_score, np.finfo(np.float32).tiny) / thresholds
        said, true = (np.where(each, weighed, 0).sum(axis=1) for each in (predicted, y_true))
        return np.broadcast_to(np.log(said / true)[:, np.newaxis], y_true.shape)
    # A threshold that no score can reach, or that all reach, says nothing about confidence.
    is_inside = (thresholds > 0) & (thresholds < 1)
    limits = log_odds(np.where(is_inside, thresholds, 0.5))
    above = log_odds(y_score.astype(np.float64)) - limits
    return np.maximum(np.where(predicted, above, -above), 0)


def _as_text(names: Any, contributions: Any) -> str:
    pairs = zip(names, contributions, strict=True)
    return ", ".join(f"{name} {contribution:+.2f}" for name, contribution in pairs)
