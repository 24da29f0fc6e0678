"""A threshold for each label, on top of any multilabel classifier of scikit-learn."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from numbers import Integral
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.exceptions import DataConversionWarning
from sklearn.utils import _safe_indexing, get_tags, indexable
from sklearn.utils.metaestimators import available_if
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import _num_samples, check_is_fitted, has_fit_parameter

from multimodal_ensemble._validation import (
    FloatArray,
    check_at_least,
    check_choice,
    check_label_matrix,
    check_sample_weight,
)
from multimodal_ensemble.metrics import (
    CriterionFunction,
    CriterionName,
    apply_thresholds,
    check_criterion,
    tune_thresholds,
)
from multimodal_ensemble.model_selection._label_scores import label_scores
from multimodal_ensemble.model_selection._multilabel_stratified_k_fold import (
    MultilabelStratifiedKFold,
)

_METHODS = ("predict_proba", "decision_function")
_Split: TypeAlias = tuple[NDArray[np.intp], NDArray[np.intp]]


def _if_estimator_has(method: str) -> Callable[[Callable[..., Any]], Any]:
    def check(self: Any) -> bool:
        # The estimator's own AttributeError says best what it lacks.
        getattr(getattr(self, "estimator_", self.estimator), method)
        return True

    decorator: Callable[[Callable[..., Any]], Any] = available_if(check)
    return decorator


class TunedThresholdMultilabelClassifier(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    """Learn one decision threshold a label for any multilabel classifier.

    The thresholds are chosen on out-of-fold scores: each row is scored by an estimator that has
    not seen it. Then the estimator is fitted to all rows.

    Parameters
    ----------
    estimator : estimator instance
        A multilabel classifier with `predict_proba` or `decision_function`. It stays as it is;
        a clone is fitted, but for ``cv="prefit"``.
    threshold : {"accuracy", "balanced_accuracy", "f1"} or callable, default="accuracy"
        What a threshold maximises for its label, as in `tune_thresholds`.
    cv : int, splitter, iterable of splits, "prefit" or None, default=None
        Which rows are scored by which estimator. None is 5 folds, and a whole number of at least
        2 so many folds, of `MultilabelStratifiedKFold`. An iterable gives pairs of training rows
        and test rows; a row in no test rows has no say in the thresholds, and one in several has
        several. ``"prefit"`` takes the fitted estimator as it is; then the rows given to `fit`
        should be none that it was fitted to.
    response_method : {"auto", "predict_proba", "decision_function"}, default="auto"
        Which scores the thresholds are for. "auto" is `predict_proba` where the estimator has it.
    n_jobs : int, default=None
        How many folds are fitted at a time, as joblib understands it.
    random_state : int, RandomState instance or None, default=None
        Decides the folds if `cv` is None or a number; an int gives the same ones each time.

    Attributes
    ----------
    estimator_ : estimator instance
        The fitted estimator.
    thresholds_ : ndarray of shape (n_labels,), float64
        Thresholds for `apply_thresholds`; ``inf`` is never, ``-inf`` is always.
    classes_ : ndarray or list of ndarray
        The classes as `estimator_` has them.
    n_labels_ : int
        Number of labels.
    response_method_ : {"predict_proba", "decision_function"}
        Which scores the thresholds are for.
    n_features_in_ : int
        Number of features; only where `estimator_` has it.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features; only where `estimator_` has them.

    See Also
    --------
    tune_thresholds : Chooses the thresholds.
    sklearn.model_selection.TunedThresholdClassifierCV : For one label and two classes.

    Notes
    -----
    The scores of all folds are joined before the thresholds are chosen, once, so that a rare label
    is judged on all its rows and not on the few of a fold. This supposes that scores of different
    folds mean the same, as probabilities do; values of `decision_function` may not. To choose
    thresholds on out-of-fold scores and to use them with an estimator fitted to all rows is what
    scikit-learn does for one label, too.

    Where an estimator has seen one class only of a label, the label's probability is 0 or 1.

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
        threshold: CriterionName | CriterionFunction = "accuracy",
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
    ) -> TunedThresholdMultilabelClassifier:
        """Choose the thresholds, and fit the estimator to all rows.

        Parameters
        ----------
        X : array-like, sparse matrix, DataFrame or list of length n_samples
            What the estimator takes.
        y : array-like or sparse matrix of shape (n_samples, n_labels)
            Multi-hot labels, 0 or 1. The estimator gets them as an int array.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, not negative, for the estimator and for the choice of thresholds.

        Returns
        -------
        TunedThresholdMultilabelClassifier
            The classifier itself.

        Raises
        ------
        ValueError
            If `y` is not a 0/1 matrix or has not the length of `X`, a parameter is not one of its
            choices, `sample_weight` is no array of weights or the estimator takes none, there are
            no test rows, or the estimator's scores are not one a row and label.
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
        labels = check_label_matrix(y, name="y")
        if _num_samples(X) != len(labels):
            msg = (
                "X and y must have the same number of rows. "
                f"Received {_num_samples(X)} rows of X and {len(labels)} rows of y."
            )
            raise ValueError(msg)
        weights = check_sample_weight(sample_weight, len(labels))
        check_criterion(self.threshold, name="threshold")
        method = self._choose_method()

        if isinstance(self.cv, str) and self.cv == "prefit":
            check_is_fitted(self.estimator)
            estimator = self.estimator
            rows = np.arange(len(labels))
            y_score = label_scores(estimator, X, method, labels.shape[1])
        else:
            self._check_takes_weights(weights)
            splits = self._splits(X, labels)
            rows = np.concatenate([test for _, test in splits])
            y_score = np.concatenate(
                Parallel(n_jobs=self.n_jobs)(
                    delayed(_score_fold)(self.estimator, X, labels, weights, split, method)
                    for split in splits
                )
            )
            estimator = _fit(clone(self.estimator), X, labels, weights)

        self.thresholds_ = tune_thresholds(
            labels[rows],
            y_score,
            criterion=self.threshold,
            sample_weight=None if weights is None else weights[rows],
        )
        self.estimator_ = estimator
        self.n_labels_ = labels.shape[1]
        self.response_method_ = method
        return self

    def predict(self, X: Any) -> NDArray[np.int64]:
        """Predict each label whose score is at least its threshold.

        Parameters
        ----------
        X : array-like, sparse matrix, DataFrame or list of length n_samples
            What the estimator takes.

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
        """Return the probabilities that the estimator gives, in its own form.

        Parameters
        ----------
        X : array-like, sparse matrix, DataFrame or list of length n_samples
            What the estimator takes.

        Returns
        -------
        ndarray of shape (n_samples, n_labels), or list of ndarray
            From 0 to 1. A list has an array of shape (n_samples, n_classes) for each label.
        """
        check_is_fitted(self)
        return self.estimator_.predict_proba(X)

    @_if_estimator_has("decision_function")
    def decision_function(self, X: Any) -> Any:
        """Return the decision values that the estimator gives, in its own form.

        Parameters
        ----------
        X : array-like, sparse matrix, DataFrame or list of length n_samples
            What the estimator takes.

        Returns
        -------
        ndarray of shape (n_samples, n_labels)
            Of any range; for one label most estimators give the shape (n_samples,).
        """
        check_is_fitted(self)
        return self.estimator_.decision_function(X)

    # Properties, so that they are there exactly when the estimator has them.

    @property
    def classes_(self) -> Any:
        """The classes as `estimator_` has them."""
        return self.estimator_.classes_

    @property
    def n_features_in_(self) -> int:
        """Number of features."""
        n_features: int = self.estimator_.n_features_in_
        return n_features

    @property
    def feature_names_in_(self) -> NDArray[Any]:
        """Names of the features."""
        names: NDArray[Any] = self.estimator_.feature_names_in_
        return names

    def __sklearn_tags__(self) -> Any:
        """Return what scikit-learn should know: the inputs are those of the estimator."""
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self.estimator).input_tags
        tags.classifier_tags.multi_class = False
        tags.classifier_tags.multi_label = True
        # The targets are matrices, of one label too.
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = False
        return tags

    def _choose_method(self) -> str:
        check_choice(self.response_method, ("auto", *_METHODS), name="response_method")
        wanted = _METHODS if self.response_method == "auto" else (self.response_method,)
        for method in wanted:
            if hasattr(self.estimator, method):
                return method
        msg = (
            f"estimator must have {' or '.join(wanted)} for response_method="
            f"{self.response_method!r}. Received {self.estimator!r}."
        )
        raise ValueError(msg)

    def _check_takes_weights(self, weights: FloatArray | None) -> None:
        if weights is not None and not has_fit_parameter(self.estimator, "sample_weight"):
            msg = (
                "sample_weight needs an estimator whose fit method has an argument of that name. "
                f"Received {type(self.estimator).__name__}, whose fit has none. Leave "
                "sample_weight out, use another estimator, or, instead of a Pipeline inside, make "
                "this classifier the last step of the Pipeline."
            )
            raise ValueError(msg)

    def _splits(
        self,
        X: Any,
        labels: NDArray[np.bool_],
    ) -> list[_Split]:
        cv = 5 if self.cv is None else self.cv
        if isinstance(cv, Integral):
            check_at_least(cv, 2, name="cv")
            cv = MultilabelStratifiedKFold(int(cv), random_state=self.random_state)
        if isinstance(cv, str) or not (hasattr(cv, "split") or isinstance(cv, Iterable)):
            msg = (
                "cv must be a number of folds, a splitter such as MultilabelStratifiedKFold, an "
                f"iterable of (training rows, test rows), or 'prefit'. Received cv={cv!r}."
            )
            raise ValueError(msg)
        pairs = cv.split(X, labels.astype(int)) if hasattr(cv, "split") else cv
        splits = [
            (_row_numbers(train, len(labels)), _row_numbers(test, len(labels)))
            for train, test in pairs
        ]
        if not sum(len(test) for _, test in splits):
            msg = (
                "cv must give at least one test row to choose thresholds on. "
                f"Received {len(splits)} splits; an iterator is empty once it has been used."
            )
            raise ValueError(msg)
        return splits


def _row_numbers(rows: ArrayLike, n_rows: int) -> NDArray[np.intp]:
    # Masks are as good as numbers; an empty list would be an array of floats.
    given = np.asarray(rows)
    return np.arange(n_rows)[given if given.size else slice(0)]


def _score_fold(
    estimator: Any,
    X: Any,
    labels: NDArray[np.bool_],
    weights: FloatArray | None,
    split: _Split,
    method: str,
) -> NDArray[Any]:
    train, test = split
    fitted = _fit(
        clone(estimator),
        _safe_indexing(X, train),
        labels[train],
        None if weights is None else weights[train],
    )
    return label_scores(fitted, _safe_indexing(X, test), method, labels.shape[1])


def _fit(
    estimator: Any,
    X: Any,
    labels: NDArray[np.bool_],
    weights: FloatArray | None,
) -> Any:
    options = {} if weights is None else {"sample_weight": weights}
    target = labels.astype(int)
    if target.shape[1] > 1:
        return estimator.fit(X, target, **options)
    with warnings.catch_warnings():
        # Some estimators want one label as a matrix, and some warn of it.
        warnings.simplefilter("ignore", DataConversionWarning)
        return estimator.fit(X, target, **options)
