"""Splits of rows, and scores of rows from an estimator that was not fitted to them."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.exceptions import DataConversionWarning
from sklearn.utils import _safe_indexing
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import has_fit_parameter

from multimodal_ensemble._tables import as_object_array, from_arrow, number_groups
from multimodal_ensemble._validation import FloatArray, check_at_least
from multimodal_ensemble._warnings import ignored
from multimodal_ensemble.model_selection._label_scores import target_scores
from multimodal_ensemble.model_selection._multilabel_stratified_k_fold import (
    MultilabelStratifiedKFold,
)

Split: TypeAlias = tuple[NDArray[np.intp], NDArray[np.intp]]


def make_splits(
    cv: Any, X: Any, labels: NDArray[np.bool_], groups: Any, random_state: Any, target: Any = None
) -> list[Split]:
    """Return the training rows and the test rows of each split of `cv`, or raise a ValueError.

    Splitters of scikit-learn take a `target` of one class per row, and others the labels.
    """
    if isinstance(cv, Integral):
        check_at_least(cv, 2, name="cv")
        cv = MultilabelStratifiedKFold(int(cv), random_state=random_state)
    if isinstance(cv, str) or not (hasattr(cv, "split") or isinstance(cv, Iterable)):
        msg = (
            "cv must be a number of folds, a splitter such as MultilabelStratifiedKFold, or an "
            "iterable of (training rows, test rows); TunedThresholdMultilabelClassifier also "
            f"accepts 'prefit'. Received cv={cv!r}."
        )
        raise ValueError(msg)
    options = {} if groups is None else {"groups": groups}
    has_classes = getattr(target, "ndim", 2) == 1
    are_labels = not has_classes or isinstance(cv, MultilabelStratifiedKFold)
    y = labels.astype(int) if are_labels else target
    pairs = cv.split(X, y, **options) if hasattr(cv, "split") else cv
    n_rows = len(labels)
    splits = [(_row_numbers(train, n_rows), _row_numbers(test, n_rows)) for train, test in pairs]
    if not any(len(test) for _, test in splits):
        msg = (
            "cv must yield at least one test row. "
            f"Received {len(splits)} splits. An iterator can be used only once."
        )
        raise ValueError(msg)
    if groups is not None:
        _check_groups_are_whole(splits, number_groups(groups, n_rows))
    return splits


def params_by_row(estimator: Any, weights: FloatArray | None, groups: Any) -> dict[str, Any]:
    """Return what `fit` of an estimator takes for each row, in addition to X and y."""
    params: dict[str, Any] = {}
    if weights is not None:
        if not has_fit_parameter(estimator, "sample_weight"):
            msg = (
                "sample_weight needs an estimator whose fit method has an argument of that name. "
                f"Received {type(estimator).__name__}, whose fit has none. Omit sample_weight "
                "or use another estimator. If the estimator is a Pipeline, make this classifier "
                "the last step of the Pipeline instead."
            )
            raise ValueError(msg)
        params["sample_weight"] = weights
    if groups is not None and has_fit_parameter(estimator, "groups"):
        params["groups"] = as_object_array(from_arrow(groups, name="groups"))
    return params


def fit_fold(
    estimator: Any, X: Any, target: Any, params: dict[str, Any], split: Split, **constants: Any
) -> Any:
    """Return a clone that is fitted to the training rows of a split.

    `params` has arguments of `fit` with a value for each row, and `constants` has others.
    """
    train = split[0]
    own = {name: values[train] for name, values in params.items()} | constants
    X_train, y_train = _safe_indexing(X, train), _safe_indexing(target, train)
    return fit_to_labels(clone(estimator), X_train, y_train, own)


def score_fold(
    estimator: Any,
    X: Any,
    target: Any,
    params: dict[str, Any],
    split: Split,
    method: str,
    **constants: Any,
) -> NDArray[Any]:
    """Return the scores of a split's test rows from a clone that `fit_fold` returns."""
    fitted = fit_fold(estimator, X, target, params, split, **constants)
    return target_scores(fitted, _safe_indexing(X, split[1]), method, target)


def score_folds(
    estimator: Any,
    X: Any,
    target: Any,
    params: dict[str, Any],
    splits: list[Split],
    method: str,
    *,
    n_jobs: int | None = None,
) -> tuple[NDArray[np.intp], NDArray[Any]]:
    """Return the test rows of all splits and their scores, joined."""
    y_scores = Parallel(n_jobs=n_jobs)(
        delayed(score_fold)(estimator, X, target, params, split, method) for split in splits
    )
    return np.concatenate([test for _, test in splits]), np.concatenate(y_scores)


def fit_to_labels(estimator: Any, X: Any, target: Any, params: dict[str, Any]) -> Any:
    """Fit an estimator to labels, an array or a DataFrame, or to classes, and return it."""
    if target.ndim == 1:
        return estimator.fit(X, target, **params)
    target = target.astype(int)
    if target.shape[1] > 1:
        return estimator.fit(X, target, **params)
    # Some estimators require a matrix for a single label, and others warn about it.
    with ignored(DataConversionWarning):
        return estimator.fit(X, target, **params)


def _row_numbers(rows: ArrayLike, n_rows: int) -> NDArray[np.intp]:
    # Boolean masks are accepted as well. An empty list would become an array of floats.
    given = np.asarray(rows)
    return np.arange(n_rows)[given if given.size else slice(0)]


def _check_groups_are_whole(splits: list[Split], groups: NDArray[np.intp]) -> None:
    for number, (train, test) in enumerate(splits):
        if len(divided := np.intersect1d(groups[train], groups[test])):
            row = int(np.argmax(groups == divided[0]))
            msg = (
                f"cv divides groups: in split {number}, rows of the same group as row {row} are "
                "among the training rows and the test rows. Use a splitter that keeps groups "
                "together, such as MultilabelStratifiedKFold."
            )
            raise ValueError(msg)
