"""Convert the predictions of any scikit-learn estimator to one score per label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

METHODS = ("predict_proba", "decision_function")


def choose_method(estimator: Any, response_method: str = "auto") -> str:
    """Return the method of an estimator that returns scores, or raise a ValueError."""
    wanted = METHODS if response_method == "auto" else (response_method,)
    for method in wanted:
        if hasattr(estimator, method):
            return method
    msg = (
        f"estimator must have {' or '.join(wanted)} for response_method="
        f"{response_method!r}. Received {estimator!r}."
    )
    raise ValueError(msg)


def label_scores(estimator: Any, X: Any, method: str, n_labels: int) -> NDArray[Any]:
    """Return the scores of a fitted estimator as shape ``(n_samples, n_labels)``.

    The method may return such an array, a list with one array of shape (n_samples, n_classes) per
    label, or, for a single label, the output of a binary classifier. If the estimator has seen
    only one class of a label, the probability of the label is 0 or 1.
    """
    given = getattr(estimator, method)(X)
    classes = getattr(estimator, "classes_", None)
    name = f"{method} of {type(estimator).__name__}"
    if isinstance(given, list):
        if len(given) != n_labels:
            raise ValueError(_wrong_format(name, f"a list of {len(given)}", n_labels))
        own_classes = classes if isinstance(classes, list) else [None] * n_labels
        return np.column_stack(
            [
                _probability_of_one(np.asarray(each), own, f"{name} for label column {label}")
                for label, (each, own) in enumerate(zip(given, own_classes, strict=True))
            ]
        )
    scores: NDArray[Any] = np.asarray(given)
    if n_labels == 1:
        if method == "predict_proba" and _is_binary(scores, classes):
            return _probability_of_one(scores, classes, name).reshape(-1, 1)
        if scores.ndim == 1:
            return scores.reshape(-1, 1)
    if scores.ndim != 2 or scores.shape[1] != n_labels:
        raise ValueError(_wrong_format(name, f"shape {scores.shape}", n_labels))
    return scores


def target_scores(estimator: Any, X: Any, method: str, target: Any) -> NDArray[Any]:
    """Return the scores of a fitted estimator for the labels or the classes of a whole target.

    A target of one axis has one class per row. Of two classes, the second one has a column.
    """
    if target.ndim == 2:
        return label_scores(estimator, X, method, target.shape[1])
    classes = np.unique(target)
    scores = _class_scores(estimator, X, method, classes)
    return scores[:, 1:] if len(classes) == 2 else scores


def _class_scores(
    estimator: Any, X: Any, method: str, classes: NDArray[Any]
) -> NDArray[np.float64]:
    """Return one column per class; one that the estimator has not seen has the lowest score."""
    given = np.asarray(getattr(estimator, method)(X), dtype=np.float64)
    seen = np.asarray(estimator.classes_)
    if given.ndim == 1 and len(seen) == 2:
        given = np.column_stack([-given, given])
    if given.shape != (len(given), len(seen)) or not np.isin(seen, classes).all():
        msg = (
            f"{method} of {type(estimator).__name__} must return one score for each of the classes "
            f"{classes.tolist()}. Received shape {given.shape} and classes_ {seen.tolist()}."
        )
        raise ValueError(msg)
    lowest = 0.0 if method == "predict_proba" else given.min() - 1
    scores = np.full((len(given), len(classes)), lowest)
    scores[:, np.searchsorted(classes, seen)] = given
    return scores


def _is_binary(scores: NDArray[Any], classes: Any) -> bool:
    """Return whether the columns of one label's scores are classes rather than labels."""
    if scores.ndim != 2 or isinstance(classes, list):
        return False
    # For a single class, some estimators return two columns and others one column of ones. The
    # class list alone is ambiguous, because a label may also be named 0.
    is_constant = bool((scores == 1).all())
    return scores.shape[1] == 2 or (
        is_constant and classes is not None and _are_zero_or_one(classes)
    )


def _probability_of_one(scores: NDArray[Any], classes: Any, name: str) -> NDArray[Any]:
    n_columns = scores.shape[1] if scores.ndim == 2 else 0
    if classes is None and n_columns == 2:
        classes = [0, 1]
    if classes is None or not n_columns or n_columns < len(classes):
        msg = (
            f"{name} must have shape (n_samples, n_classes), with the classes in classes_. "
            f"Received shape {scores.shape} and classes_ {classes!r}."
        )
        raise ValueError(msg)
    if not _are_zero_or_one(classes):
        msg = (
            f"{name} must refer to the classes 0 and 1. "
            f"Received classes_ {np.asarray(classes).tolist()}. Fit the estimator to a multi-hot "
            "matrix, for example from sklearn.preprocessing.MultiLabelBinarizer."
        )
        raise ValueError(msg)
    # For a single class, do not read the columns: some estimators add a second, meaningless one.
    return np.full(len(scores), float(classes[0])) if len(classes) == 1 else scores[:, 1]


def _are_zero_or_one(classes: Sequence[Any] | NDArray[Any]) -> bool:
    # scikit-learn sorts classes.
    return np.asarray(classes).tolist() in ([0, 1], [0], [1])


def _wrong_format(name: str, received: str, n_labels: int) -> str:
    return (
        f"{name} must return an array of shape (n_samples, {n_labels}), or a list of {n_labels} "
        f"arrays of shape (n_samples, n_classes). Received {received}. The estimator must "
        f"predict all {n_labels} labels of y; sklearn.multioutput.MultiOutputClassifier extends "
        "an estimator for one label to several."
    )
