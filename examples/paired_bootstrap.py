"""Scores of models on bootstrap samples of test rows, the same samples for all models."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd

QUANTILES = (0.025, 0.975)


@dataclasses.dataclass(frozen=True)
class SplitScores:
    """What one model says about the test rows of one split."""

    rows: Sequence[int]  # row numbers of the test rows, n_test of them
    y_score: np.ndarray  # shape (n_test, n_labels), higher for rows that have the label
    y_pred: np.ndarray  # shape (n_test, n_labels), 0 or 1


def draw_weights(tests: Sequence[Sequence[int]], n_rows: int, n_samples: int) -> np.ndarray:
    """Return how often each row is drawn from all test rows, with replacement.

    Parameters
    ----------
    tests : sequence of sequences of int
        Row numbers of the test rows of each split.
    n_rows : int
        The number of rows, of training and test together.
    n_samples : int
        The number of bootstrap samples.

    Returns
    -------
    ndarray of shape (1 + n_samples, n_rows)
        Row 0 is ones: the test rows themselves.
    """
    tested = sorted({row for test in tests for row in test})
    weights = np.zeros((1 + n_samples, n_rows))
    weights[0] = 1
    shares = np.full(len(tested), 1 / len(tested))
    weights[1:, tested] = np.random.default_rng(0).multinomial(len(tested), shares, n_samples)
    return weights


def score_samples(
    y: np.ndarray, splits: Sequence[SplitScores], weights: np.ndarray
) -> pd.DataFrame:
    """Return the mean scores of a model over splits, on each sample.

    A row counts as often in the test set of a split as it was drawn. Differences of two models on
    the same samples are paired; their percentiles are an interval [1]_.

    Parameters
    ----------
    y : ndarray of shape (n_rows, n_labels)
        The labels of all rows, 0 or 1.
    splits : sequence of SplitScores
        What the model says about the test rows of each split.
    weights : ndarray of shape (1 + n_samples, n_rows)
        From `draw_weights`.

    Returns
    -------
    DataFrame with 1 + n_samples rows
        The columns ``mean_roc_auc``, ``mean_accuracy``, ``micro_f1`` and ``macro_f1``, as in
        `multimodal_ensemble.reporting.compare_models`. Row 0 has the scores of the test rows
        themselves. NaN where no test row was drawn.

    References
    ----------
    .. [1] Efron and Tibshirani, "An Introduction to the Bootstrap", Chapman & Hall, 1993.
    """
    scores = [_score_split(y[split.rows] == 1, split, weights[:, split.rows]) for split in splits]
    return pd.concat(scores).groupby(level=0).mean().reindex(range(len(weights)))


def summarize(samples: pd.DataFrame) -> pd.DataFrame:
    """Return each score of the test rows themselves with the bounds of its 95 % interval.

    The result has one row per column of `samples`, and the columns ``value``, ``low``, ``high``.
    """
    low, high = samples.iloc[1:].quantile(list(QUANTILES)).to_numpy()
    return pd.DataFrame({"value": samples.iloc[0], "low": low, "high": high})


def _score_split(true: np.ndarray, split: SplitScores, drawn: np.ndarray) -> pd.DataFrame:
    predicted = split.y_pred.astype(bool)
    columns = zip(true.T, split.y_score.T, strict=True)
    roc_aucs = pd.DataFrame([_roc_auc(label, scores, drawn) for label, scores in columns])
    hits = drawn @ (true & predicted)
    either = drawn @ true + drawn @ predicted
    number = drawn.sum(axis=1)
    scores = {
        "mean_roc_auc": roc_aucs.mean().to_numpy(),
        "mean_accuracy": _divide(drawn @ (true == predicted).mean(axis=1), number),
        "micro_f1": _divide(2 * hits.sum(axis=1), either.sum(axis=1)),
        # F1 is 0 for a label that no row has and that is never predicted.
        "macro_f1": np.nan_to_num(_divide(2 * hits, either)).mean(axis=1),
    }
    return pd.DataFrame(scores)[number > 0]


def _roc_auc(true: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the share of pairs that are in the right order, by sample; NaN for one class."""
    positive, negative = scores[true][:, np.newaxis], scores[~true]
    in_order = (positive > negative) + (positive == negative) / 2
    of_positive, of_negative = weights[:, true], weights[:, ~true]
    n_pairs = of_positive.sum(axis=1) * of_negative.sum(axis=1)
    return _divide(((of_positive @ in_order) * of_negative).sum(axis=1), n_pairs)


def _divide(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return means by sample; NaN where nothing was drawn."""
    return np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
