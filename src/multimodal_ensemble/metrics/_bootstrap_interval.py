"""The confidence interval of one model's score."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from multimodal_ensemble._tables import check_same_index
from multimodal_ensemble.metrics._bootstrap import Bootstrap, IntervalMethod
from multimodal_ensemble.metrics._inputs import read_inputs
from multimodal_ensemble.metrics._resample_scores import PER_LABEL, check_metric
from multimodal_ensemble.metrics._score_interval import ScoreInterval
from multimodal_ensemble.metrics._scoring import ScoringFunction


def bootstrap_interval(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    metric: str | ScoringFunction = "mean_roc_auc",
    thresholds: Any = None,
    n_resamples: int = 2000,
    method: IntervalMethod | None = None,
    level: float = 0.95,
    stratify: Any = None,
    groups: Any = None,
    random_state: int = 0,
) -> ScoreInterval:
    """Return the score of a model with its bootstrap confidence interval.

    The interval covers what other test rows from the same source would have given for the same
    trained model. It does not cover other training rows or seeds.

    Parameters
    ----------
    y_true : array-like of shape (n_samples, n_labels)
        Multi-hot labels, 0 or 1.
    y_score : array-like of shape (n_samples, n_labels)
        Finite scores of any range, higher for the positive class.
    metric : str or callable, default="mean_roc_auc"
        As in `resample_scores`.
    thresholds : float or array-like of shape (n_labels,), default=None
        As in `resample_scores`.
    n_resamples : int, default=2000
        The number of resamples.
    method : {"percentile", "bca", "normal"}, default=None
        The percentile interval; the bias-corrected and accelerated interval, which also scores
        the model once without each row or group; or the normal interval, which needs no resamples
        and sorts each label once. None takes ``"percentile"`` up to 100,000 rows and for
        callables, and ``"normal"`` beyond. See Notes.
    level : float, default=0.95
        The coverage, between 0 and 1.
    stratify, groups : sequence of length n_samples, default=None
        The stratum and the group of each row; see `bootstrap_counts`.
    random_state : int, default=0
        The seed of the resamples.

    Returns
    -------
    ScoreInterval
        The fields ``score``, ``low``, ``high`` and ``n_incomplete``: numbers, or arrays of shape
        (n_labels,) for metrics of one label; and ``method``. The bounds are NaN if no resample
        defines the score.

    Raises
    ------
    ValueError
        If an argument is not valid; see `resample_scores` and `bootstrap_counts`.

    See Also
    --------
    compare_scores : Several models on the same resamples. Do not conclude from two overlapping
        intervals that two models do not differ.

    Notes
    -----
    A resample of n rows takes O(n) per label, whatever the number of rows: 2,000 resamples of 10
    million rows take hours. The normal interval uses the influence of each row on the score, its
    derivative by the weight of the row, whose sum of squares is the variance that resamples
    estimate [2]_. For a ROC-AUC, this is the variance of DeLong's test. It is symmetric, may leave
    0..1, and holds for labels with many rows of both classes; for few rows, use the others.

    References
    ----------
    .. [1] B. Efron and R. J. Tibshirani, "An Introduction to the Bootstrap", Chapman & Hall, 1993,
       chapters 13 and 14.
    .. [2] The same, section 21.3: the infinitesimal jackknife.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.metrics import bootstrap_interval
    >>> rng = np.random.default_rng(0)
    >>> y_true = rng.random((500, 3)) < 0.3
    >>> result = bootstrap_interval(y_true, rng.normal(y_true, 1.0))
    >>> print(f"{result.score:.2f} [{result.low:.2f}, {result.high:.2f}]")
    0.77 [0.75, 0.80]
    """
    check_metric(metric)
    check_same_index(y_true=y_true, y_score=y_score, stratify=stratify, groups=groups)
    given = read_inputs(y_true, y_score)
    bootstrap = Bootstrap(
        len(given.positive),
        metrics=[metric],
        n_resamples=n_resamples,
        method=method,
        level=level,
        stratify=stratify,
        groups=groups,
        random_state=random_state,
    )
    limits = given.read_thresholds(thresholds)
    parts = []
    for labels in bootstrap.parts(metric, given.positive.shape[1]):
        resampled, _ = bootstrap.resample(given, metric, limits, labels)
        parts.append((resampled.estimates, *bootstrap.interval(resampled), resampled.n_incomplete))
    fields: list[Any] = [np.concatenate(field) for field in zip(*parts, strict=True)]
    if metric not in PER_LABEL:
        fields = [field.item() for field in fields]
    score, low, high, n_incomplete = fields
    return ScoreInterval(score, low, high, n_incomplete, bootstrap.method)
