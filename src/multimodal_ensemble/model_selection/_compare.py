"""A comparison of estimators on the same folds."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

import joblib
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from multimodal_ensemble._joblib import call_in_workers, has_worker_processes
from multimodal_ensemble._tables import abbreviate
from multimodal_ensemble._validation import check_at_least, check_choice
from multimodal_ensemble._version import __version__
from multimodal_ensemble.metrics import CriterionFunction, CriterionName, check_criterion
from multimodal_ensemble.model_selection._comparison_fit import Fit, Fitter, with_seeds
from multimodal_ensemble.model_selection._comparison_inputs import check_models, check_options
from multimodal_ensemble.model_selection._comparison_result import ComparisonResult
from multimodal_ensemble.model_selection._comparison_split import ComparisonSplit
from multimodal_ensemble.model_selection._finished_fits import FinishedFits
from multimodal_ensemble.model_selection._label_scores import choose_method
from multimodal_ensemble.model_selection._out_of_fold import Split, make_splits
from multimodal_ensemble.model_selection._rows import read_rows
from multimodal_ensemble.model_selection._search_identity import (
    Identity,
    describe_estimator,
    describe_value,
    digest_rows,
)
from multimodal_ensemble.model_selection._shared_store import (
    quiet_params,
    store_params,
    temporary_store,
)


def compare(
    estimators: Mapping[str, Any],
    X: Any,
    y: Any,
    *,
    label_delimiter: str | None = None,
    min_label_count: int = 1,
    cv: Any = 5,
    repeats: int = 1,
    baseline: str | None = None,
    groups: ArrayLike | None = None,
    metrics: Sequence[str] = ("mean_roc_auc", "mean_accuracy"),
    threshold: CriterionName | CriterionFunction | None = "prevalence",
    store: Any = None,
    n_resamples: int = 2000,
    level: float = 0.95,
    random_state: int = 0,
    path: str | PathLike[str] | None = None,
    verbose: int = 1,
) -> ComparisonResult:
    """Compare estimators on the same folds, with intervals of their differences.

    Each estimator is fitted to the training rows of each fold and scores its test rows. The scores
    are kept, so that the result can answer further questions without another fit.

    Parameters
    ----------
    estimators : mapping of str to estimator
        Classifiers of such a `y` with ``predict_proba`` or ``decision_function``, by name. They are
        not changed. Parameters `verbose`, nested ones included, are set to False for the fits.
    X : array-like, sparse matrix, DataFrame, mapping of columns or list of length n_samples
        Input of the estimators.
    y : array-like or DataFrame of shape (n_samples, n_labels), sequence of label lists, or str
        Multi-hot labels, or the labels or class of each row. A column of X that is passed as `y`,
        or whose name `y` is, is left out of X. Of several classes, estimators predict as their
        method ``predict`` does; ``"micro_f1"`` is then the accuracy, and other metrics are means
        over classes, each against the others.
    label_delimiter : str, optional
        What separates the labels of a row in strings of `y`. Default: what is found, as a line
        says.
    min_label_count : int, default=1
        Labels of `y` that fewer rows have are left out.
    cv : int, splitter or iterable of splits, default=5
        A whole number, at least 2, is the number of folds of `MultilabelStratifiedKFold`. An
        iterable yields pairs of training rows and test rows.
    repeats : int, default=1
        How often all folds are fitted. The repeats have the same folds and different seeds.
    baseline : str, optional
        The estimator that the others are compared with. Default: the first one.
    groups : array-like of shape (n_samples,), optional
        The group of each row, such as its patient, for `cv`, for the resamples, and for estimators
        whose ``fit`` takes `groups`. No split may divide a group.
    metrics : sequence of str, default=("mean_roc_auc", "mean_accuracy")
        ``"mean_roc_auc"``, ``"mean_average_precision"``, ``"mean_accuracy"``, ``"macro_f1"`` or
        ``"micro_f1"``; see `resample_scores`.
    threshold : str, callable or None, default="prevalence"
        The criterion for the thresholds of estimators that have no attribute `thresholds_` once
        they are fitted; see `tune_thresholds`. They are chosen as
        `TunedThresholdMultilabelClassifier` does, on out-of-fold scores of the training rows, which
        takes five more fits. None is 0.5 for probabilities and 0 for decision values.
    store : FeatureStore, path or None, default=None
        Where estimators with a parameter `store` that is None, nested ones included, keep
        features, so that each is computed once. None is a folder that is removed at the end.
    n_resamples : int, default=2000
        The number of bootstrap resamples.
    level : float, default=0.95
        The coverage of each interval, between 0 and 1.
    random_state : int, default=0
        Seeds the folds, the repeats and the resamples.
    path : path, optional
        A folder that keeps finished fits, so that the same call goes on after an interruption.
        Estimators, repeats and metrics may be added. Default: nothing is kept.
    verbose : {0, 1}, default=1
        Whether to show a progress bar with the time that is left.

    Returns
    -------
    ComparisonResult
        The table, figure and texts of the comparison, and the scores of all rows.

    Raises
    ------
    ValueError
        If an argument is invalid, test rows are among the training rows of their split, or `path`
        has fits of other estimators, rows or folds, or of another version of this library; the
        message lists what differs.
    OSError
        If a file in `path` cannot be written or read.

    See Also
    --------
    ComparisonResult.from_scores : For models that are already trained.
    multimodal_ensemble.metrics.compare_scores : For scores on one set of test rows.

    Notes
    -----
    Each parameter named ``random_state``, of the estimator or nested in it, is set for each repeat
    to a number that follows from the argument `random_state`. The first repeat keeps the seeds that
    are set already. An estimator without such a parameter may be the same in all repeats. The
    column ``sd_repeats`` is the standard deviation over these seeds, on the same folds and rows.

    Inside ``joblib.parallel_config(...)``, joblib's workers do the fits, and each computes the
    features that it needs and finds in no store. Workers on other machines need a shared `store`.

    The intervals cover other test rows. Each row is tested in each repeat, and the models of two
    folds share most of their training rows, so that the spread between folds does not estimate the
    variance of a score without bias [1]_.

    References
    ----------
    .. [1] Y. Bengio and Y. Grandvalet, "No unbiased estimator of the variance of k-fold
       cross-validation", Journal of Machine Learning Research 5, 2004.

    Examples
    --------
    >>> from sklearn.datasets import make_multilabel_classification
    >>> from sklearn.dummy import DummyClassifier
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from multimodal_ensemble.model_selection import compare
    >>> X, y = make_multilabel_classification(n_samples=200, n_classes=3, random_state=0)
    >>> result = compare(
    ...     {"constant": DummyClassifier(), "neighbors": KNeighborsClassifier(9)},
    ...     X, y, metrics=["mean_roc_auc"], n_resamples=200, verbose=0)
    >>> print(result)
    2 models, 200 tested rows, 3 labels, 5 splits in 1 repeat, 200 resamples, 95 % intervals
    <BLANKLINE>
          metric     model                score          minus constant sd over rows
    mean ROC-AUC  constant 0.500 [0.500, 0.500]                                0.000
    mean ROC-AUC neighbors 0.852 [0.818, 0.880] +0.352 [+0.318, +0.380]        0.017
    <BLANKLINE>
    neighbors beats constant by 0.352 [0.318, 0.380] in mean ROC-AUC.
    """
    models = check_models(estimators, name="estimators")
    _check_estimators(estimators)
    options = check_options(
        models,
        metrics=metrics,
        baseline=baseline,
        n_resamples=n_resamples,
        level=level,
        random_state=random_state,
    )
    check_at_least(repeats, 1, name="repeats")
    check_choice(verbose, (0, 1), name="verbose")
    if threshold is not None:
        check_criterion(threshold, name="threshold")
    X, labels, target = read_rows(
        X,
        y,
        groups,
        label_delimiter=label_delimiter,
        min_label_count=min_label_count,
        verbose=verbose,
    )
    splits = make_splits(cv, X, labels, groups, random_state, target)
    _check_splits(splits)
    fitter = Fitter(X, labels, target, groups, threshold, random_state)
    fits = _run_fits(estimators, fitter, splits, repeats, store, path, verbose)
    indexed = next((part for part in (X, y) if isinstance(part, pd.DataFrame | pd.Series)), None)
    return ComparisonResult.from_scores(
        labels,
        [
            _join_fits({model: fits[repeat, fold, model] for model in models}, test, repeat)
            for repeat in range(repeats)
            for fold, (_, test) in enumerate(splits)
        ],
        labels=_label_names(target),
        rows=None if indexed is None else list(indexed.index),
        groups=groups,
        **options,
    )


def _run_fits(
    estimators: Mapping[str, Any],
    fitter: Fitter,
    splits: list[Split],
    repeats: int,
    store: Any,
    path: str | PathLike[str] | None,
    verbose: int,
) -> dict[tuple[int, int, str], Fit]:
    """Return the fits by repeat, fold and model; finished ones are read from `path`."""
    # All models of a fold come before the next fold, so that an interrupted comparison has whole
    # folds, and the time that is left is known early.
    tasks = [
        (repeat, fold, model)
        for repeat in range(repeats)
        for fold in range(len(splits))
        for model in estimators
    ]
    finished = None if path is None else FinishedFits(path)
    fits: dict[tuple[int, int, str], Fit] = {}
    identities: dict[tuple[int, int, str], Identity] = {}
    if finished is not None:
        shared = _identify(fitter)
        described = {m: describe_estimator(e, without=()) for m, e in estimators.items()}
        folds = [{"rows of the fold": digest_rows(split)} for split in splits]
        for repeat, fold, model in tasks:
            identity = shared | described[model] | folds[fold]
            identities[repeat, fold, model] = identity
            if fit := finished.read(model, repeat, fold, identity):
                fits[repeat, fold, model] = fit
    open_tasks = [task for task in tasks if task not in fits]
    is_needed = store is None and any(
        store_params(estimators[model], None, deep=True) for _, _, model in open_tasks
    )
    bar = None
    if verbose and open_tasks:
        # Keras takes seconds to import.
        from multimodal_ensemble._progress import make_progress_bar

        bar = make_progress_bar(len(open_tasks), unit="fit")
        # The first fit may take hours; how many are ahead is shown before it.
        bar.update(0)
    with temporary_store(is_needed=is_needed) as folder:
        kept = folder if store is None else store
        calls = ((task, estimators[task[2]], fitter, splits[task[1]], kept) for task in open_tasks)
        done = (
            call_in_workers(_run_in_worker, calls)
            if len(open_tasks) > 1 and has_worker_processes()
            else itertools.starmap(_run_fit, calls)
        )
        for number, ((repeat, fold, model), fit) in enumerate(done, start=1):
            fits[repeat, fold, model] = fit
            if finished is not None:
                finished.write(model, repeat, fold, identities[repeat, fold, model], fit)
            if bar is not None:
                bar.update(number)
    return fits


def _run_fit(
    task: tuple[int, int, str], estimator: Any, fitter: Fitter, split: Split, store: Any
) -> tuple[tuple[int, int, str], Fit]:
    """Return the repeat, fold and model of a fit, and the fit."""
    repeat, fold, model = task
    seeded = with_seeds(estimator, fitter.random_state, repeat)
    own = store_params(seeded, store, deep=True)
    quiet = quiet_params(seeded, deep=True)
    try:
        return task, fitter.fit(seeded.set_params(**own, **quiet), split)
    except Exception as error:
        error.add_note(f"This was estimator {model!r} in repeat {repeat}, fold {fold}.")
        raise


def _run_in_worker(*call: Any) -> tuple[tuple[int, int, str], Fit]:
    # The workers are busy with fits, so each computes the features of its own.
    with joblib.parallel_config("sequential"):
        return _run_fit(*call)


def _join_fits(fits: Mapping[str, Fit], test: NDArray[np.intp], repeat: int) -> ComparisonSplit:
    return ComparisonSplit(
        test,
        {model: fit.y_score for model, fit in fits.items()},
        {model: fit.thresholds for model, fit in fits.items()},
        repeat,
        {model: fit.seconds for model, fit in fits.items()},
        {model: fit.y_pred for model, fit in fits.items()}
        if all(fit.y_pred is not None for fit in fits.values())
        else None,
    )


def _label_names(target: Any) -> list[str] | None:
    """Return the names of the columns of scores, or None for numbers."""
    if target.ndim == 1:
        classes = np.unique(target).tolist()
        return [str(label) for label in (classes[1:] if len(classes) == 2 else classes)]
    return list(target.columns) if isinstance(target, pd.DataFrame) else None


def _identify(fitter: Fitter) -> Identity:
    """Return what all fits depend on, as texts."""
    groups = fitter.groups
    return {
        # Two versions may fit or score differently.
        "library version": __version__,
        "X": digest_rows(fitter.X),
        "y": digest_rows(fitter.target),
        "groups": "None" if groups is None else digest_rows(list(groups)),
        "threshold": describe_value(fitter.criterion),
        "random_state": str(fitter.random_state),
    }


def _check_estimators(estimators: Mapping[str, Any]) -> None:
    for model, estimator in estimators.items():
        if isinstance(estimator, type) or not hasattr(estimator, "set_params"):
            msg = (
                "estimators must be instances with fit, get_params and set_params, such as "
                f"MultimodalEnsemble(). Received {estimator!r} for {model!r}."
            )
            raise ValueError(msg)
        try:
            choose_method(estimator)
        except ValueError as error:
            msg = f"estimators[{model!r}]: {error}"
            raise ValueError(msg) from error


def _check_splits(splits: list[Split]) -> None:
    for number, (train, test) in enumerate(splits):
        if len(shared := np.intersect1d(train, test)):
            msg = (
                f"cv must keep test rows apart from training rows. In split {number}, "
                f"{len(shared)} rows are both, {abbreviate(shared)}."
            )
            raise ValueError(msg)
        if not len(train) or not len(test):
            msg = (
                f"cv must yield training rows and test rows. Split {number} has {len(train)} "
                f"training rows and {len(test)} test rows."
            )
            raise ValueError(msg)
