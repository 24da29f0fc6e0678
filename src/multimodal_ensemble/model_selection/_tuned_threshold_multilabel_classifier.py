"""Tuned thresholds for any multilabel classifier of scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils import get_tags, indexable
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _num_samples, check_is_fitted

from multimodal_ensemble._label_names import classes_for_caller, in_label_order, names_of
from multimodal_ensemble._tables import check_same_index, from_arrow
from multimodal_ensemble._validation import check_choice, check_label_matrix, check_sample_weight
from multimodal_ensemble.metrics import (
    CriterionFunction,
    CriterionName,
    apply_thresholds,
    check_criterion,
    tune_thresholds,
)
from multimodal_ensemble.model_selection._label_scores import METHODS, choose_method, label_scores
from multimodal_ensemble.model_selection._out_of_fold import (
    fit_to_labels,
    make_splits,
    params_by_row,
    score_folds,
)


def _if_estimator_has(method: str) -> Callable[[Callable[..., Any]], Any]:
    def check(self: Any) -> bool:
        # The AttributeError of the estimator itself is the most informative.
        getattr(getattr(self, "estimator_", self.estimator), method)
        return True

    decorator: Callable[[Callable[..., Any]], Any] = available_if(check)
    return decorator


class TunedThresholdMultilabelClassifier(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    """Learn one decision threshold per label for any multilabel classifier.

    The thresholds are chosen on out-of-fold scores: each row is scored by an estimator that was
    not fitted to it. The estimator is then fitted to all rows.

    Parameters
    ----------
    estimator : estimator instance
        A multilabel classifier with `predict_proba` or `decision_function`. It is not changed,
        because clones of it are fitted. With ``cv="prefit"``, it is used without cloning.
    threshold : str or callable, default="prevalence"
        The criterion that each threshold maximises, as in `tune_thresholds`.
    cv : int, splitter, iterable of splits, "prefit" or None, default=None
        How rows are split for scoring. A whole number, at least 2, is the number of folds of
        `MultilabelStratifiedKFold`; None is 5. An iterable yields pairs of training rows and test
        rows. A row counts once for each time it is a test row. ``"prefit"`` uses the fitted
        estimator as it is; `fit` should then receive rows that the estimator was not fitted to.
    response_method : {"auto", "predict_proba", "decision_function"}, default="auto"
        The method that returns the scores. "auto" is `predict_proba` if the estimator has it, and
        `decision_function` otherwise.
    n_jobs : int, default=None
        Number of folds that joblib fits in parallel.
    random_state : int, RandomState instance or None, default=None
        Source of the folds if `cv` is None or a number; an int makes them reproducible.

    Attributes
    ----------
    estimator_ : estimator instance
        The fitted estimator.
    thresholds_ : ndarray of shape (n_labels,), float64
        Thresholds for `apply_thresholds`; ``inf`` never predicts the label, ``-inf`` always does.
    classes_ : ndarray or list of ndarray
        The `classes_` of `estimator_`.
    n_labels_ : int
        Number of labels.
    response_method_ : {"predict_proba", "decision_function"}
        The method that returns the scores to which the thresholds apply.
    n_features_in_, feature_names_in_ : int and ndarray of shape (n_features,)
        Those of `estimator_`, if it has them.

    See Also
    --------
    tune_thresholds : Chooses the thresholds.
    sklearn.model_selection.TunedThresholdClassifierCV : For a single binary label.

    Notes
    -----
    The thresholds are chosen once, on the joined scores of all folds, so that a rare label is
    evaluated on all its rows. This assumes that the scores of different folds are comparable:
    probabilities usually are; values of `decision_function` may not be. If an estimator has seen
    only one class of a label, the probability of the label is 0 or 1.

    Examples
    --------
    >>> from sklearn.datasets import make_multilabel_classification
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from multimodal_ensemble.model_selection import TunedThresholdMultilabelClassifier
    >>> X, y = make_multilabel_classification(n_samples=60, n_classes=3, random_state=0)
    >>> tuned = TunedThresholdMultilabelClassifier(
    ...     KNeighborsClassifier(), threshold="f1", random_state=0)
    >>> tuned.fit(X, y).thresholds_.shape
    (3,)
    >>> tuned.predict(X).shape
    (60, 3)
    """

    def __init__(
        self,
        estimator: Any,
        *,
        threshold: CriterionName | CriterionFunction = "prevalence",
        cv: Any = None,
        response_method: str = "auto",
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.estimator = estimator
        self.threshold = threshold
        self.cv = cv
        self.response_method = response_method
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Choose the thresholds and fit the estimator to all rows.

        Parameters
        ----------
        X : array-like, sparse matrix, DataFrame or list of length n_samples
            Input of the estimator.
        y : array-like or sparse matrix of shape (n_samples, n_labels)
            Multi-hot labels, 0 or 1. The estimator receives them as an int array. With
            ``cv="prefit"``, columns with names are matched to those of its `classes_`.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows, for the estimator and the choice of thresholds.
        groups : array-like of shape (n_samples,), default=None
            The group of each row, such as its patient, for `cv`, and for the estimator if its
            `fit` takes `groups`. No split may divide a group.

        Returns
        -------
        TunedThresholdMultilabelClassifier
            The classifier itself.

        Raises
        ------
        ValueError
            If `y` is not a 0/1 matrix or does not have the length or index of `X`, a parameter is
            invalid, `sample_weight` is invalid or not supported by the estimator, `cv` has no test
            rows or divides a group, or the estimator does not return one score per row and label.
        NotFittedError
            If `cv` is "prefit" and the estimator is not fitted.
        """
        if y is None:
            msg = (
                f"{type(self).__name__} requires y to be passed, but the target y is None. "
                "Pass a multi-hot matrix of shape (n_samples, n_labels)."
            )
            raise ValueError(msg)
        (X,) = indexable(X)
        check_same_index(X=X, y=y, sample_weight=sample_weight, groups=groups)
        y, sample_weight = from_arrow(y, name="y"), from_arrow(sample_weight, name="sample_weight")
        is_prefit = isinstance(self.cv, str) and self.cv == "prefit"
        if is_prefit:
            check_is_fitted(self.estimator)
            classes = getattr(self.estimator, "classes_", None)
            if _are_labels(classes, len(names_of(y) or ())):
                y = in_label_order(y, classes, name="y")
        labels = check_label_matrix(y, name="y")
        if _num_samples(X) != len(labels):
            msg = (
                "X and y must have the same number of rows. "
                f"Received {_num_samples(X)} rows of X and {len(labels)} rows of y."
            )
            raise ValueError(msg)
        weights = check_sample_weight(sample_weight, len(labels))
        check_criterion(self.threshold, name="threshold")
        check_choice(self.response_method, ("auto", *METHODS), name="response_method")
        method = choose_method(self.estimator, self.response_method)

        if is_prefit:
            if groups is not None:
                msg = "groups has no effect with cv='prefit', which splits nothing; omit groups."
                raise ValueError(msg)
            estimator = self.estimator
            rows = np.arange(len(labels))
            y_score = label_scores(estimator, X, method, labels.shape[1])
        else:
            params = params_by_row(self.estimator, weights, groups)
            cv = 5 if self.cv is None else self.cv
            splits = make_splits(cv, X, labels, groups, self.random_state)
            rows, y_score = score_folds(
                self.estimator, X, labels, params, splits, method, n_jobs=self.n_jobs
            )
            estimator = fit_to_labels(clone(self.estimator), X, labels, params)

        self.thresholds_ = tune_thresholds(
            labels[rows],
            y_score,
            criterion=self.threshold,
            sample_weight=None if weights is None else weights[rows],
        )
        self.estimator_ = estimator
        self.n_labels_ = labels.shape[1]
        self._label_names = names_of(y)
        self.response_method_ = method
        return self

    def predict(self, X: Any) -> NDArray[np.int64]:
        """Predict each label whose score is at least its threshold.

        Parameters
        ----------
        X : array-like, sparse matrix, DataFrame or list of length n_samples
            Input of the estimator.

        Returns
        -------
        ndarray of shape (n_samples, n_labels), int64
            1 or 0.
        """
        check_is_fitted(self)
        scores = label_scores(self.estimator_, X, self.response_method_, self.n_labels_)
        return apply_thresholds(scores, self.thresholds_).astype(np.int64)

    @_if_estimator_has("predict_proba")
    def predict_proba(self, X: Any) -> Any:
        """Return the probabilities of the estimator in its own format.

        Parameters
        ----------
        X : array-like, sparse matrix, DataFrame or list of length n_samples
            Input of the estimator.

        Returns
        -------
        ndarray of shape (n_samples, n_labels), or list of ndarray
            From 0 to 1. A list has one array of shape (n_samples, n_classes) per label.
        """
        check_is_fitted(self)
        return self.estimator_.predict_proba(X)

    @_if_estimator_has("decision_function")
    def decision_function(self, X: Any) -> Any:
        """Return the decision values of the estimator in its own format.

        Parameters
        ----------
        X : array-like, sparse matrix, DataFrame or list of length n_samples
            Input of the estimator.

        Returns
        -------
        ndarray of shape (n_samples, n_labels)
            Values of any range. For a single label, most estimators return shape (n_samples,).
        """
        check_is_fitted(self)
        return self.estimator_.decision_function(X)

    def score(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> float:
        """Return the subset accuracy: the share of rows whose labels are all predicted correctly.

        Parameters
        ----------
        X : array-like, sparse matrix, DataFrame or list of length n_samples
            Input of the estimator.
        y : array-like or sparse matrix of shape (n_samples, n_labels)
            Multi-hot labels, 0 or 1. Columns with names are matched to those of the training rows.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows.

        Returns
        -------
        float
            From 0 to 1.

        Raises
        ------
        ValueError
            If `y` has another shape, index or other names than the rows and labels, or
            `sample_weight` is invalid.
        """
        check_is_fitted(self)
        check_same_index(X=X, y=y, sample_weight=sample_weight)
        y, sample_weight = from_arrow(y, name="y"), from_arrow(sample_weight, name="sample_weight")
        y_true = check_label_matrix(in_label_order(y, self._label_names, name="y"), name="y")
        weights = check_sample_weight(sample_weight, len(y_true))
        y_pred = self.predict(X)
        if y_pred.shape != y_true.shape:
            msg = (
                "y must have one row for each row of X and one column for each label: shape "
                f"{y_pred.shape}. Received {y_true.shape}."
            )
            raise ValueError(msg)
        return float(np.average((y_pred == y_true).all(axis=1), weights=weights))

    # These are properties so that they exist exactly if the estimator has them.

    @property
    def classes_(self) -> Any:
        """The `classes_` of `estimator_`."""
        classes = self.estimator_.classes_
        return classes_for_caller(classes) if _are_labels(classes, self.n_labels_) else classes

    @property
    def n_features_in_(self) -> int:
        """Number of features."""
        return self.estimator_.n_features_in_  # type: ignore[no-any-return]

    @property
    def feature_names_in_(self) -> NDArray[Any]:
        """Names of the features."""
        return self.estimator_.feature_names_in_  # type: ignore[no-any-return]

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn tags; the input tags are those of the estimator."""
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self.estimator).input_tags
        tags.classifier_tags.multi_class = False
        tags.classifier_tags.multi_label = True
        # Targets are matrices even for a single label.
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = False
        return tags


def _are_labels(classes: Any, n_labels: int) -> bool:
    """Return whether classes are one per label, and not the classes of each label."""
    return isinstance(classes, np.ndarray) and len(classes) == n_labels
