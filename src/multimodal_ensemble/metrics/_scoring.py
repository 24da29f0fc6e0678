"""One number per evaluation, by which trainings and searches compare models."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._known_labels import read_known_labels
from multimodal_ensemble._validation import ScoreArray, check_choice, check_scores
from multimodal_ensemble.metrics._columns import (
    average_precision,
    count_at_positives,
    read_columns,
    roc_auc,
    sort_by_class,
)

ScoringFunction: TypeAlias = Callable[[NDArray[Any], NDArray[Any]], float]


def _f1(positives: ScoreArray, negatives: ScoreArray) -> float:
    """Return the highest F1 that a threshold reaches, from the sorted scores of both classes."""
    starts, n_below = count_at_positives(positives, negatives)
    tp, fp = len(positives) - starts, len(negatives) - n_below
    return float((2 * tp / (tp + fp + len(positives))).max())


# The scores of one label, of which the mean over labels is taken.
_OF_LABEL: dict[str, Callable[[ScoreArray, ScoreArray], float]] = {
    "mean_roc_auc": roc_auc,
    "mean_average_precision": average_precision,
    "f1": _f1,
}


def check_scoring(scoring: Any, *, name: str = "scoring", others: Sequence[str] = ()) -> None:
    """Check that `compute_score` accepts a scoring.

    Parameters
    ----------
    scoring : object
        A name or a callable, as `compute_score` takes it.
    name : str, default="scoring"
        What messages call it.
    others : sequence of str, default=()
        More names that are valid.

    Raises
    ------
    ValueError
        If it is neither a valid name nor a callable of two arguments.

    Examples
    --------
    >>> from multimodal_ensemble.metrics import check_scoring
    >>> check_scoring("f1")
    >>> check_scoring("f2")
    Traceback (most recent call last):
        ...
    ValueError: scoring must be one of 'mean_roc_auc', ... Received scoring='f2'.
    """
    if not callable(scoring):
        check_choice(scoring, (*_OF_LABEL, *others), name=name)
        return
    try:
        inspect.signature(scoring).bind(None, None)
    except TypeError as error:
        msg = (
            f"A callable {name} is called as {name}(y_true, y_score) and must return a number, "
            f"greater for better scores. The call would fail: {error}."
        )
        raise ValueError(msg) from error
    except ValueError:
        # Some callables that are written in C have no signature.
        return


def compute_score(
    scoring: str | ScoringFunction,
    y_true: NDArray[np.bool_],
    y_score: NDArray[Any],
    *,
    name: str = "scoring",
) -> float:
    """Return one number for the scores of some rows, greater for better scores.

    Parameters
    ----------
    scoring : str or callable
        ``"mean_roc_auc"``, ``"mean_average_precision"``, ``"f1"`` (the mean over labels of the
        highest F1 that a threshold reaches), or a callable that takes `y_true` (0 or 1) and
        `y_score`, both of shape (n_samples, n_labels), and returns a number. The named ones leave
        out labels of one class.
    y_true : ndarray of shape (n_samples, n_labels), bool
        Multi-hot labels.
    y_score : ndarray of shape (n_samples, n_labels)
        Finite scores, higher for the positive class.
    name : str, default="scoring"
        What messages call the scoring.

    Returns
    -------
    float
        From 0 to 1 for the named ones; NaN if no label has rows of both classes.

    Raises
    ------
    TypeError
        If a callable does not return a number.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.metrics import compute_score
    >>> y_true = np.array([[True, False], [False, False], [True, False]])
    >>> y_score = np.array([[0.9, 0.2], [0.4, 0.1], [0.3, 0.3]])
    >>> compute_score("mean_roc_auc", y_true, y_score)
    0.5
    """
    if isinstance(scoring, str):
        if not y_true.size:
            return float("nan")
        positive, known = read_known_labels(y_true)
        columns = read_columns(positive, check_scores(y_score, positive.shape), known)
        values = [
            _OF_LABEL[scoring](*sort_by_class(true, score))
            for true, score in columns
            if true.any() and not true.all()
        ]
        return float(np.mean(values)) if values else float("nan")
    if y_true.dtype.kind == "f" and np.isnan(y_true).any():
        msg = f"A callable {name} needs labels that are known in all rows, and some are NaN."
        raise ValueError(msg)
    # Copies, so that the callable cannot change the labels or the scores.
    value = scoring(y_true.astype(np.int64), y_score.copy())
    number = np.asarray(value)
    if number.ndim or number.dtype.kind not in "iuf":
        msg = (
            f"A callable {name} must return one number, greater for better scores. Received "
            f"{value!r} from {scoring!r}."
        )
        raise TypeError(msg)
    return float(number)
