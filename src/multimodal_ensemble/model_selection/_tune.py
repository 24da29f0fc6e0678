"""A search for the parameters of any estimator, cross-validated on the given rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from numbers import Real
from os import PathLike
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.utils import check_random_state

from multimodal_ensemble._tables import counted
from multimodal_ensemble._validation import check_at_least, check_choice
from multimodal_ensemble.metrics import ScoringFunction, check_scoring
from multimodal_ensemble.model_selection._import_optuna import import_optuna, quiet_optuna
from multimodal_ensemble.model_selection._out_of_fold import (
    fit_to_labels,
    make_splits,
    params_by_row,
)
from multimodal_ensemble.model_selection._rows import read_rows
from multimodal_ensemble.model_selection._search_identity import (
    describe_estimator,
    describe_value,
    digest_rows,
)
from multimodal_ensemble.model_selection._search_space import SearchSpace
from multimodal_ensemble.model_selection._shared_store import (
    quiet_params,
    store_params,
    temporary_store,
)
from multimodal_ensemble.model_selection._trial_evaluation import TrialEvaluation
from multimodal_ensemble.model_selection._tuning_result import TuningResult
from multimodal_ensemble.model_selection._tuning_study import TuningStudy


def tune(
    estimator: Any,
    X: Any,
    y: Any,
    space: Mapping[str, Any] | Callable[[Any], Mapping[str, Any]],
    *,
    label_delimiter: str | None = None,
    min_label_count: int = 1,
    scoring: str | ScoringFunction = "mean_roc_auc",
    cv: Any = 5,
    groups: ArrayLike | None = None,
    n_trials: int | None = 50,
    timeout: float | None = None,
    prune: bool = True,
    study: str | PathLike[str] | None = None,
    refit: bool = True,
    fit_params: Mapping[str, Any] | None = None,
    random_state: int | np.random.RandomState | None = None,
    verbose: int = 1,
) -> TuningResult:
    """Search for the parameters with the best cross-validated score.

    Optuna proposes the parameters of each trial from the results of the trials before. Every trial
    uses the same folds of the given rows. Needs the extra ``tune``.

    Parameters
    ----------
    estimator : estimator instance
        A multilabel classifier with ``predict_proba`` or ``decision_function``, ``get_params`` and
        ``set_params``. It is not changed. If it has a parameter `verbose`, trials fit it with
        ``verbose=False``. If it has a parameter `store` that is None, all trials share a temporary
        feature store.
    X : array-like, sparse matrix, DataFrame, mapping of columns or list of length n_samples
        Input of the estimator.
    y : array-like or DataFrame of shape (n_samples, n_labels), sequence of label lists, or str
        Multi-hot labels, or the labels or class of each row. Labels with names reach the estimator
        as a table with one column per label, and `scoring` compares each class with the others. A
        column of X that is passed as `y`, or whose name `y` is, is left out of X.
    space : dict or callable
        What to try. A dict maps names of parameters, also nested ones such as
        ``tags__head__units``, to a list of choices ``[16, 64]``, a dict of choices by name
        ``{"small": DenseHead(16), "none": None}``, a range ``(low, high)``,
        ``(low, high, step)`` or ``(low, high, "log")``, which has whole numbers if all its numbers
        are whole, or an Optuna distribution. A callable takes an Optuna trial, calls methods such
        as ``trial.suggest_float("dropout", 0, 0.9)``, and returns a dict of parameters, in which
        some may depend on others.
    label_delimiter : str, optional
        What separates the labels of a row in strings of `y`. Default: what is found, as a line
        says.
    min_label_count : int, default=1
        Labels of `y` that fewer rows have are left out.
    scoring : str or callable, default="mean_roc_auc"
        What is maximised: ``"mean_roc_auc"``, ``"mean_average_precision"``, ``"f1"`` (the mean over
        labels of the highest F1 that a threshold reaches), or a callable
        ``(y_true, y_score) -> float``. See `compute_score`.
    cv : int, splitter or iterable of splits, default=5
        A whole number, at least 2, is the number of folds of `MultilabelStratifiedKFold`. An
        iterable yields pairs of training rows and test rows.
    groups : array-like of shape (n_samples,), optional
        The group of each row, such as its patient, for `cv`, and for the estimator if its ``fit``
        takes `groups`. No split may divide a group.
    n_trials : int or None, default=50
        Number of trials, with those that `study` already has. None sets no limit.
    timeout : float, optional
        Seconds after which no further fold is fitted. A trial that is cut off does not count, but
        the first one is completed. The final fit to all rows comes on top. Default: no limit.
    prune : bool, default=True
        Whether a trial stops after a fold if its mean score so far is below the median of the
        trials before at the same fold, as ``optuna.pruners.MedianPruner`` defines it. Nothing is
        stopped before five trials are complete.
    study : path, optional
        A file that keeps the finished trials, so that the same call continues a search that was
        killed; if nothing changes, the result is the same as without interruption. The suffix
        ``.db``, ``.sqlite`` or ``.sqlite3`` makes it an SQLite database, and any other one a
        journal of Optuna. Default: trials are kept in memory.
    refit : bool, default=True
        Whether the estimator is fitted to all rows with the best parameters.
    fit_params : mapping of str to object, optional
        More arguments of ``fit``, passed as they are in each fit, such as unlabelled rows.
    random_state : int, RandomState instance or None, default=None
        Seeds the folds and the proposals; an int makes them reproducible. The estimator has its
        own. None continues a `study` with the seed that it has.
    verbose : {0, 1}, default=1
        Whether to show a progress bar and a summary.

    Returns
    -------
    TuningResult
        The best parameters and their score, all trials, and the fitted estimator.

    Raises
    ------
    ImportError
        If Optuna is not installed.
    ValueError
        If an argument is invalid, or the `study` belongs to another search; the message lists what
        differs.
    RuntimeError
        If every trial failed; the first error is in the message, and is the cause if its trial ran
        in this call.
    KeyboardInterrupt
        On Ctrl-C before the first trial is complete. Later, Ctrl-C ends the search as `timeout`
        does, and a second one also stops the final fit.

    See Also
    --------
    TunedThresholdMultilabelClassifier : Tunes thresholds, which need no search.

    Notes
    -----
    The first trial has the parameters of the estimator itself, where a dict as `space` contains
    them, so the result is not worse than they are on the same folds. The others come from a
    tree-structured Parzen estimator [1]_. Parameters that were tried before are not tried again,
    and the search ends when nothing new is found. A trial that raises an error is recorded as
    failed, and the search goes on.

    References
    ----------
    .. [1] J. Bergstra, R. Bardenet, Y. Bengio and B. Kégl, "Algorithms for hyper-parameter
       optimization", NeurIPS 2011.

    Examples
    --------
    >>> from sklearn.datasets import make_multilabel_classification
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from multimodal_ensemble.model_selection import tune
    >>> X, y = make_multilabel_classification(n_samples=60, n_classes=3, random_state=0)
    >>> result = tune(
    ...     DecisionTreeClassifier(random_state=1), X, y,
    ...     {"min_samples_leaf": (1, 20), "criterion": ["gini", "entropy"]},
    ...     n_trials=6, random_state=0, verbose=0,
    ... )
    >>> sorted(result.best_params)
    ['criterion', 'min_samples_leaf']
    >>> result.best_estimator.predict(X).shape
    (60, 3)
    """
    import_optuna()
    search_space = SearchSpace(space)
    _check_options(scoring, n_trials, timeout, verbose, prune=prune, refit=refit)
    _check_estimator(estimator, search_space)
    X, labels, target = read_rows(
        X,
        y,
        groups,
        label_delimiter=label_delimiter,
        min_label_count=min_label_count,
        verbose=verbose,
    )
    constants = dict(fit_params or {})
    is_needed = bool(store_params(estimator, None, deep=False))
    with quiet_optuna(), temporary_store(is_needed=is_needed) as store:
        trials = TuningStudy(study, search_space)
        seed = _draw_seed(random_state, trials.seed)
        splits = make_splits(cv, X, labels, groups, seed, target)
        trials.claim(
            describe_estimator(estimator, without=search_space.distributions)
            | {f"space[{n!r}]": text for n, text in search_space.describe().items()}
            | {
                "X": digest_rows(X),
                "y": digest_rows(target),
                "folds": digest_rows([rows for split in splits for rows in split]),
                "fit_params": describe_value(constants),
                "scoring": describe_value(scoring),
                "random_state": str(seed),
            },
            seed,
        )
        params = params_by_row(estimator, None, groups)
        own = store_params(estimator, store, deep=False)
        candidate = clone(estimator).set_params(**own, **quiet_params(estimator, deep=False))
        evaluation = TrialEvaluation(
            candidate, X, labels, target, params, constants, splits, scoring, prune
        )
        first = search_space.stored_values(estimator.get_params())
        _run_trials(trials, evaluation, first, n_trials, timeout, verbose)
        best = trials.best
        if best is None:
            msg = f"All {len(trials.finished)} trials failed. The first one raised {trials.error}"
            raise RuntimeError(msg) from evaluation.first_error
        table = trials.to_frame()
        if verbose:
            print(_describe(table, best), flush=True)
        best_params = trials.values_of(best)
        fitted = None
        if refit:
            fitted = clone(estimator).set_params(**(own | best_params))
            fit_to_labels(fitted, X, target, params | constants)
            # The temporary store is about to be removed.
            fitted.set_params(**dict.fromkeys(own.keys() - best_params.keys()))
    return TuningResult(best_params, float(best.value), table, fitted)


def _run_trials(
    trials: TuningStudy,
    evaluation: TrialEvaluation,
    first: Mapping[str, Any],
    n_trials: int | None,
    timeout: float | None,
    verbose: int,
) -> None:
    """Run trials until their number is reached, the time is over, or nothing is left to try."""
    end = np.inf if timeout is None else time.perf_counter() + timeout
    bar = None
    if verbose:
        # Keras takes seconds to import.
        from multimodal_ensemble._progress import make_progress_bar

        bar = make_progress_bar(n_trials, unit="trial", rate="best")
    while n_trials is None or len(trials.finished) < n_trials:
        deadline = end if trials.finished else np.inf
        if time.perf_counter() > deadline:
            break
        try:
            proposal = trials.propose(first)
            if proposal is None:
                break
            trial, values = proposal
            outcome = evaluation.evaluate(trial, values, deadline)
        except KeyboardInterrupt:
            if trials.best is None:
                raise
            break
        if outcome is None:
            break
        trials.record(trial, **outcome)
        if bar is not None:
            best = trials.best
            shown = [] if best is None else [("best", best.value)]
            bar.update(len(trials.finished), shown)
    if bar is not None and len(trials.finished) != n_trials:
        bar.update(len(trials.finished), finalize=True)


def _describe(table: pd.DataFrame, best: Any) -> str:
    counts = ", ".join(f"{n} {state}" for state, n in table["state"].value_counts().items())
    return f"{counted(len(table), 'trial')} ({counts}). Best score: {best.value:.4f}"


def _check_options(
    scoring: Any,
    n_trials: Any,
    timeout: Any,
    verbose: Any,
    **switches: Any,
) -> None:
    check_scoring(scoring)
    if n_trials is not None:
        check_at_least(n_trials, 1, name="n_trials")
    elif timeout is None:
        msg = "The search would not end: pass n_trials, timeout or both. Received None for both."
        raise ValueError(msg)
    is_number = isinstance(timeout, Real) and not isinstance(timeout, bool)
    if timeout is not None and not (is_number and float(timeout) > 0):
        msg = f"timeout must be a number of seconds above 0. Received timeout={timeout!r}."
        raise ValueError(msg)
    check_choice(verbose, (0, 1), name="verbose")
    for name, value in switches.items():
        check_choice(value, (True, False), name=name)


def _check_estimator(estimator: Any, space: SearchSpace) -> None:
    """Raise an error unless the estimator has the parameters of the space."""
    if isinstance(estimator, type) or not hasattr(estimator, "set_params"):
        msg = (
            "estimator must be an instance with fit, get_params and set_params, such as "
            f"MultimodalClassifier(). Received {estimator!r}."
        )
        raise ValueError(msg)
    known = estimator.get_params()
    for name, value in space.examples().items():
        if name not in known:
            # The error of the estimator itself is the most informative.
            clone(estimator).set_params(**{name: value})


def _draw_seed(random_state: Any, stored: int | None) -> int:
    if random_state is None and stored is not None:
        return stored
    if isinstance(random_state, int | np.integer):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))
