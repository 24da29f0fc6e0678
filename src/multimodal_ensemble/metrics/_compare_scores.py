"""Paired comparison of models on the same rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.exceptions import UndefinedMetricWarning

from multimodal_ensemble._tables import abbreviate, check_same_index, from_arrow
from multimodal_ensemble._validation import check_choice, check_label_matrix, find_repeated
from multimodal_ensemble._warnings import warn
from multimodal_ensemble.metrics._bootstrap import Bootstrap, IntervalMethod, Resampled
from multimodal_ensemble.metrics._inputs import Inputs, read_inputs
from multimodal_ensemble.metrics._resample_scores import PER_LABEL, check_metric
from multimodal_ensemble.metrics._score_comparison import ScoreComparison
from multimodal_ensemble.metrics._scoring import ScoringFunction


def compare_scores(
    y_true: ArrayLike,
    y_scores: Mapping[str, ArrayLike],
    *,
    metric: str | ScoringFunction | Sequence[str | ScoringFunction] = "mean_roc_auc",
    thresholds: Any = None,
    baseline: str | None = None,
    n_resamples: int = 2000,
    method: IntervalMethod | None = None,
    level: float = 0.95,
    stratify: Any = None,
    groups: Any = None,
    random_state: int = 0,
    labels: Sequence[str] | None = None,
) -> ScoreComparison:
    """Compare models on the same rows with a paired bootstrap.

    All models and labels are scored on the same resamples of the rows, so that the interval of a
    difference does not contain what is hard or easy for all models. A difference is resolved if
    its interval excludes 0.

    Parameters
    ----------
    y_true : array-like of shape (n_samples, n_labels)
        Multi-hot labels, 0 or 1.
    y_scores : mapping of str to array-like of shape (n_samples, n_labels)
        The scores of each model by its name, higher for the positive class.
    metric : str, callable, or sequence of them, default="mean_roc_auc"
        One or several metrics, as in `resample_scores`. Metrics of one label, such as
        ``"roc_auc"``, give one row of the table per label.
    thresholds : float, array-like of shape (n_labels,), or mapping, default=None
        Thresholds that are shared by all models, or a mapping from the name of each model to its
        thresholds. Accuracies and F1 need them.
    baseline : str, default=None
        The model that the others are compared with. None takes the first one.
    n_resamples : int, default=2000
        The number of resamples.
    method : {"percentile", "bca", "normal"}, default=None
        The percentile interval; the bias-corrected and accelerated interval, which also scores
        each model once without each row or group; or the normal interval, which needs no
        resamples. None takes ``"percentile"`` up to 100,000 rows and for callables, and
        ``"normal"`` beyond. See `bootstrap_interval`.
    level : float, default=0.95
        The coverage of each interval, between 0 and 1.
    stratify, groups : sequence of length n_samples, default=None
        The stratum and the group of each row; see `bootstrap_counts`.
    random_state : int, default=0
        The seed of the resamples.
    labels : sequence of str of length n_labels, default=None
        Names of the labels. None uses the columns of `y_true` or of the scores, and column numbers
        as strings if there are none.

    Returns
    -------
    ScoreComparison
        Its ``table`` is a tidy DataFrame; ``print`` shows it.

    Raises
    ------
    ValueError
        If `y_scores` is not a mapping of names to scores, `baseline` is not one of its names, the
        rows or labels of the models differ, or an argument is not valid; see `resample_scores` and
        `bootstrap_counts`.

    Warns
    -----
    sklearn.exceptions.UndefinedMetricWarning
        If a metric is undefined for some labels on all rows, because they have no row of a class.

    See Also
    --------
    delong_test : A test of the ROC-AUC of each label, without resamples.

    Notes
    -----
    The intervals hold for each figure alone. With many labels or models, some of them exclude 0 by
    chance; `delong_test` accounts for that with corrected p-values. They hold for these trained
    models: other seeds and training rows vary the scores further.

    References
    ----------
    .. [1] B. Efron and R. J. Tibshirani, "An Introduction to the Bootstrap", Chapman & Hall, 1993.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.metrics import compare_scores
    >>> rng = np.random.default_rng(0)
    >>> y_true = rng.random((500, 3)) < 0.3
    >>> tags = rng.normal(y_true, 1.0)
    >>> both = tags + rng.normal(y_true, 1.0)
    >>> print(compare_scores(y_true, {"tags": tags, "both": both}))
    500 rows, 2,000 resamples, 95 % intervals (percentile)
    <BLANKLINE>
          metric model                score              minus tags
    mean_roc_auc  tags 0.774 [0.748, 0.798]
    mean_roc_auc  both 0.840 [0.819, 0.861] +0.066 [+0.048, +0.085]
    """
    metrics = _read_metrics(metric)
    given = _read_models(y_true, y_scores, stratify=stratify, groups=groups, labels=labels)
    models = list(given)
    baseline = models[0] if baseline is None else baseline
    check_choice(baseline, models, name="baseline")
    limits = _thresholds_by_model(thresholds, given)
    first = given[models[0]]
    bootstrap = Bootstrap(
        len(first.positive),
        metrics=metrics.values(),
        n_resamples=n_resamples,
        method=method,
        level=level,
        stratify=stratify,
        groups=groups,
        random_state=random_state,
    )
    tables = []
    without_class: set[str] = set()
    for name, function in metrics.items():
        for part in bootstrap.parts(function, len(first.names)):
            names = first.names[part]
            resampled = {}
            for model in models:
                resampled[model], undefined = bootstrap.resample(
                    given[model], function, limits[model], part
                )
                if len(undefined) == len(names) and not callable(function):
                    without_class.update(np.array(names)[undefined].tolist())
            labels_of_rows: list[Any] = [*names] if function in PER_LABEL else [None]
            tables.append(_table_of_metric(name, labels_of_rows, resampled, baseline, bootstrap))
    if without_class:
        listed = abbreviate([label for label in first.names if label in without_class])
        msg = f"Labels without rows of both classes are left out where metrics need both: {listed}."
        warn(msg, UndefinedMetricWarning)
    return ScoreComparison(
        table=pd.concat(tables, ignore_index=True),
        baseline=baseline,
        method=bootstrap.method,
        level=float(level),
        n_resamples=bootstrap.n_resamples,
        n_rows=len(first.positive),
        n_units=len(bootstrap.strata),
    )


def _read_metrics(metric: Any) -> dict[str, str | ScoringFunction]:
    """Return metrics by name."""
    listed = [metric] if isinstance(metric, str) or callable(metric) else list(metric)
    if not listed:
        msg = "metric must name at least one metric. Received an empty sequence."
        raise ValueError(msg)
    for one in listed:
        check_metric(one)
    names = [one if isinstance(one, str) else getattr(one, "__name__", repr(one)) for one in listed]
    if repeated := find_repeated(names):
        msg = f"metric must not name a metric twice. Received {repeated} more than once."
        raise ValueError(msg)
    return dict(zip(names, listed, strict=True))


def _read_models(
    y_true: Any, y_scores: Any, *, stratify: Any, groups: Any, labels: Sequence[str] | None
) -> dict[str, Inputs]:
    """Check the scores of each model, and pair all of them with the same rows and labels."""
    is_named = isinstance(y_scores, Mapping) and all(isinstance(name, str) for name in y_scores)
    if not is_named or not y_scores:
        msg = (
            "y_scores must be a mapping from the names of one or more models to their scores, such "
            f"as {{'tags': scores_of_tags}}. Received {type(y_scores).__name__}."
        )
        raise ValueError(msg)
    parts = {f"y_scores[{name!r}]": scores for name, scores in y_scores.items()}
    check_same_index(y_true=y_true, stratify=stratify, groups=groups, **parts)
    check_label_matrix(from_arrow(y_true, name="y_true"))
    given = {}
    for name, scores in y_scores.items():
        try:
            given[name] = read_inputs(y_true, scores, labels=labels)
        except ValueError as error:
            msg = f"Model {name!r}: {error}"
            raise ValueError(msg) from error
    named = {name: one.names for name, one in given.items() if one.labels is not None}
    reference = next(iter(named), "")
    for name, names in named.items():
        if names != named[reference]:
            msg = (
                f"The columns of the models {reference!r} and {name!r} differ: {named[reference]} "
                f"and {names}. Pass y_true as a DataFrame, so that labels are paired by name."
            )
            raise ValueError(msg)
    # Scores without names have the labels of those with names.
    reading = given[reference] if named else next(iter(given.values()))
    return {
        name: Inputs(one.positive, one.scores, None, reading.names, reading.labels)
        for name, one in given.items()
    }


def _thresholds_by_model(thresholds: Any, given: Mapping[str, Inputs]) -> dict[str, Any]:
    """Return the thresholds of each model, in the order of its labels."""
    is_by_model = isinstance(thresholds, Mapping) and any(name in given for name in thresholds)
    if is_by_model and set(thresholds) != set(given):
        msg = (
            "thresholds by model must have one entry for each model in y_scores: "
            f"{abbreviate(given)}. Received {abbreviate(thresholds)}."
        )
        raise ValueError(msg)
    return {
        name: one.read_thresholds(thresholds[name] if is_by_model else thresholds)
        for name, one in given.items()
    }


def _table_of_metric(
    metric: str,
    labels: Sequence[Any],
    resampled: Mapping[str, Resampled],
    baseline: str,
    bootstrap: Bootstrap,
) -> pd.DataFrame:
    """Return the rows of one metric: by label, then by model."""
    parts = []
    for model, scores in resampled.items():
        low, high = bootstrap.interval(scores)
        columns = {
            "metric": metric,
            "label": pd.Series(labels, dtype=object),
            "model": model,
            "score": scores.estimates,
            "low": low,
            "high": high,
            "difference": np.nan,
            "difference_low": np.nan,
            "difference_high": np.nan,
            "n_incomplete": scores.n_incomplete,
        }
        if model != baseline:
            difference = scores.minus(resampled[baseline])
            lower, upper = bootstrap.interval(difference)
            columns |= {
                "difference": difference.estimates,
                "difference_low": lower,
                "difference_high": upper,
                "n_incomplete": difference.n_incomplete,
            }
        parts.append(pd.DataFrame(columns))
    # By label first, so that the models of a label are beside each other.
    return pd.concat(parts).sort_index(kind="stable")
