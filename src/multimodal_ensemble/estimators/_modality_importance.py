"""How much each modality matters to the scores of an estimator."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from multimodal_ensemble._resamples import mean_of_defined, percentile_interval
from multimodal_ensemble._tables import check_same_index, named_rows
from multimodal_ensemble._target import MULTICLASS
from multimodal_ensemble._validation import FloatArray, check_at_least, check_choice, check_level
from multimodal_ensemble.estimators._check_estimator import check_estimator
from multimodal_ensemble.estimators._decisions import choose_matrix
from multimodal_ensemble.explanation import modality_scores
from multimodal_ensemble.metrics import bootstrap_counts, resample_scores

METRICS = ("roc_auc", "average_precision", "accuracy", "f1")


def modality_importance(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    metric: str = "roc_auc",
    n_repeats: int = 5,
    n_resamples: int = 1000,
    level: float = 0.95,
    groups: Any = None,
    random_state: int = 0,
) -> pd.DataFrame:
    """Return how the scores of test rows change without each modality.

    Parameters
    ----------
    estimator : MultimodalClassifier or MultimodalEnsemble
        A fitted estimator.
    X : DataFrame, mapping of str to sequence, or array-like of shape (n_samples, n_features)
        Rows that it was not trained on.
    y : array-like or DataFrame of shape (n_samples, n_labels), or sequence of label lists
        Their labels.
    metric : {"roc_auc", "average_precision", "accuracy", "f1"}, default="roc_auc"
        The metric of a label, or of a class against the others. Accuracy and F1 are those of
        the predictions of the estimator.
    n_repeats : int, default=5
        How often each modality is shuffled; the scores are averaged.
    n_resamples : int, default=1000
        The number of bootstrap resamples of the rows.
    level : float, default=0.95
        The coverage of each interval, between 0 and 1.
    groups : sequence of length n_samples, optional
        The group of each row; resamples draw whole groups.
    random_state : int, default=0
        Seeds shuffles and resamples.

    Returns
    -------
    DataFrame
        One row per modality, case and label, with the columns

        - ``modality``: the name of the encoder, or the columns if several encoders read them;
          empty for the case ``"full"``,
        - ``case``: ``"full"``; ``"missing"``, all other modalities; ``"alone"``, no other modality;
          ``"shuffled"``, the modality of another row,
        - ``label``: None is the mean over labels,
        - ``score`` with ``low`` and ``high``,
        - ``n_incomplete``: the number of resamples that lack a class of the label, which are left
          out of its interval, and in which it is left out of the mean,
        - ``difference`` to the full score on the same resamples, with ``difference_low`` and
          ``difference_high``; NaN for ``"full"``. A modality matters if it is below 0 where the
          modality is missing or shuffled.

        A label that lacks a class in these rows has NaN, and is left out of the mean.

    Raises
    ------
    TypeError
        If `estimator` is of another kind.
    ValueError
        If an argument is invalid, or the labels do not fit the estimator.

    See Also
    --------
    errors : The rows that the estimator gets most wrong.

    Notes
    -----
    A missing modality is what `MultimodalClassifier.explain` says about absent ones: an ensemble
    leaves out its members, and a network uses what it learned for missing values or for dropout
    of modalities, or averages over other rows. Shuffling [1]_ keeps what each modality looks like,
    and breaks what it says about the row; two modalities that say the same hide each other in both
    cases, which ``"alone"`` shows. The trained weights stay as they are.

    References
    ----------
    .. [1] L. Breiman, "Random forests", Machine Learning 45, 2001.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble import BagOfWordsEncoder, DenseEncoder, MultimodalEnsemble
    >>> from multimodal_ensemble.estimators import modality_importance
    >>> rng = np.random.default_rng(0)
    >>> X = {"tags": [["space", "war"], ["love"], ["war"], ["love", "paris"]] * 25,
    ...      "year": rng.normal(size=100)}
    >>> y = [["Action"], ["Romance"], ["Action"], ["Romance"]] * 25
    >>> encoders = [BagOfWordsEncoder("tags"), DenseEncoder("year")]
    >>> ensemble = MultimodalEnsemble(encoders, verbose=0).fit(X, y)
    >>> table = modality_importance(ensemble, X, y, n_resamples=100)
    >>> mean = table[table["label"].isna()].set_index(["modality", "case"])["score"]
    >>> float(mean["tags", "alone"]), bool(mean["year", "alone"] < 0.8)
    (1.0, True)
    """
    check_estimator(estimator)
    check_choice(metric, METRICS, name="metric")
    check_at_least(n_repeats, 1, name="n_repeats")
    check_at_least(n_resamples, 1, name="n_resamples")
    check_level(level)
    table, y_true = estimator._read_truth(X, y)
    check_same_index(X=named_rows(X, table), y=y, groups=groups)
    dataset = estimator._open_rows(table)
    scores = modality_scores(
        estimator.model_, dataset, n_repeats=n_repeats, random_state=random_state
    )
    target, thresholds = estimator._target, estimator.thresholds_
    if target.kind == MULTICLASS and metric in ("accuracy", "f1"):
        # Which class is predicted depends on the scores of all.
        scores = {
            key: [choose_matrix(each, thresholds, target).astype(np.float64) for each in listed]
            for key, listed in scores.items()
        }
        thresholds = np.full(len(thresholds), 0.5)
    counts = bootstrap_counts(len(y_true), n_resamples, groups=groups, random_state=random_state)
    # The first "resample" has each row once.
    counts = np.concatenate([np.ones((1, len(y_true)), counts.dtype), counts])
    resampled = {
        key: np.mean(
            [
                resample_scores(y_true, y_score, counts, metric=metric, thresholds=thresholds)
                for y_score in listed
            ],
            axis=0,
        )
        for key, listed in scores.items()
    }
    full = resampled["", "full"]
    tables = []
    for (modality, case), values in resampled.items():
        columns = {"score": values}
        if case != "full":
            columns["difference"] = values - full
        summary = _summarize(columns, target.labels.tolist(), level)
        tables.append(summary.assign(modality=modality, case=case))
    importance = pd.concat(tables, ignore_index=True)
    first = ["modality", "case", "label"]
    names = ["score", "low", "high", "n_incomplete"]
    names += ["difference", "difference_low", "difference_high"]
    return importance.reindex(columns=[*first, *names])


def _summarize(columns: dict[str, FloatArray], labels: list[Any], level: float) -> pd.DataFrame:
    """Return values with intervals for the mean over labels, and for each label."""
    table: dict[str, Any] = {"label": pd.Series([None, *labels], dtype=object)}
    is_undefined = np.isnan(columns["score"])
    # A label that is undefined on all rows is never part of the mean.
    incomplete = is_undefined[1:] & ~is_undefined[0]
    table["n_incomplete"] = [incomplete.any(axis=1).sum(), *is_undefined[1:].sum(axis=0)]
    for name, by_label in columns.items():
        values = np.column_stack([mean_of_defined(by_label, axis=1), by_label])
        prefix = "" if name == "score" else f"{name}_"
        table[name] = values[0]
        bounds = percentile_interval(values[1:], level)
        table[f"{prefix}low"], table[f"{prefix}high"] = bounds
    return pd.DataFrame(table)
