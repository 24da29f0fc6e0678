"""Scores of rows from an estimator that was not fitted to them, for all labels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from multimodal_ensemble._validation import check_label_matrix
from multimodal_ensemble.model_selection._label_scores import label_scores
from multimodal_ensemble.model_selection._out_of_fold import (
    fit_to_labels,
    make_splits,
    params_by_row,
    score_fold,
)


def out_of_fold_scores(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    cv: Any = 5,
    groups: Any = None,
    sample_weight: Any = None,
    random_state: Any = None,
) -> tuple[Any, NDArray[np.float64]]:
    """Fit an estimator to all rows, and score each row by a copy that was fitted without it.

    Parameters
    ----------
    estimator : estimator with predict_proba
        Any multilabel estimator of scikit-learn or this package.
    X : array-like, sparse matrix or DataFrame of length n_samples
        Input of the estimator.
    y : array-like of shape (n_samples, n_labels)
        Multi-hot labels.
    cv : int, splitter or iterable, default=5
        The folds; a number means `MultilabelStratifiedKFold`.
    groups : array-like of shape (n_samples,), optional
        The group of each row. All rows of a group are in one fold.
    sample_weight : ndarray of shape (n_samples,), optional
        Weights of the rows, for an estimator whose method fit takes them.
    random_state : int, RandomState instance or None, default=None
        Seed of the folds.

    Returns
    -------
    estimator : estimator
        A copy that is fitted to all rows.
    y_score : ndarray of shape (n_samples, n_labels)
        Probabilities. NaN for a row that is in no fold of `cv`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from multimodal_ensemble.model_selection import out_of_fold_scores
    >>> X = np.arange(20.0)[:, np.newaxis]
    >>> fitted, y_score = out_of_fold_scores(KNeighborsClassifier(3), X, X > 9, cv=4)
    >>> y_score.shape
    (20, 1)
    """
    labels = check_label_matrix(y, name="y")
    params = params_by_row(estimator, sample_weight, groups)
    y_score = np.full(labels.shape, np.nan)
    for split in make_splits(cv, X, labels, groups, random_state):
        y_score[split[1]] = score_fold(estimator, X, labels, params, split, "predict_proba")
    return fit_to_labels(clone(estimator), X, labels, params), y_score


def predict_label_scores(estimator: Any, X: Any, n_labels: int) -> NDArray[Any]:
    """Return the probabilities of a fitted estimator as one column per label.

    Parameters
    ----------
    estimator : estimator with predict_proba
        Fitted to `n_labels` labels; it may return one array, or a list with one for each label.
    X : array-like, sparse matrix or DataFrame of length n_samples
        Input of the estimator.
    n_labels : int
        Number of labels.

    Returns
    -------
    ndarray of shape (n_samples, n_labels)
        Probabilities of the labels.

    Examples
    --------
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from multimodal_ensemble.model_selection import predict_label_scores
    >>> knn = KNeighborsClassifier(1).fit([[1], [2]], [[0, 1], [1, 0]])
    >>> predict_label_scores(knn, [[1]], n_labels=2).tolist()
    [[0.0, 1.0]]
    """
    return label_scores(estimator, X, "predict_proba", n_labels)
