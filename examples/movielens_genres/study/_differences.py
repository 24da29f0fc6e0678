"""Differences between ensembles and networks, with intervals from a paired bootstrap."""

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd

from multimodal_ensemble import apply_thresholds

from ._encoders import join_names, name_ensemble
from ._split import Outcome, SeedResult

# The scores that are compared, by their column.
SCORES = {"mean_roc_auc": "mean ROC-AUC", "mean_accuracy": "mean accuracy"}
QUANTILES = (0.025, 0.975)


def list_differences(
    genres: np.ndarray,
    results: Sequence[SeedResult],
    modalities: Collection[str],
    networks: Collection[str],
    *,
    n_samples: int = 1000,
) -> pd.DataFrame:
    """Return how much each ensemble is above the models of the same modalities and networks.

    A bootstrap sample draws movies from the test movies of all seeds, with replacement, and is the
    same for both. A score of the sample is the mean over seeds, in whose test set a movie counts as
    often as it was drawn. The percentiles of the differences are the interval [1]_.

    Parameters
    ----------
    genres : ndarray of shape (n_movies, n_genres)
        The genres of all movies, 0 or 1.
    results : sequence of SeedResult
        The outcomes of each seed.
    modalities, networks : collection of str
        What the models see.
    n_samples : int, default=1000
        The number of bootstrap samples.

    Returns
    -------
    DataFrame
        One row per pair of an ensemble and a model that were both trained, with the differences
        of the mean ROC-AUC and the mean accuracy, and the bounds of their 95 % intervals, "_low"
        and "_high".

    References
    ----------
    .. [1] Efron and Tibshirani, "An Introduction to the Bootstrap", Chapman & Hall, 1993.
    """
    trained = {outcome.model for outcome in results[0].outcomes}
    pairs = [pair for pair in _pair_names(modalities, networks) if trained.issuperset(pair)]
    weights = _draw_weights(results, len(genres), n_samples)
    scores = {
        model: _score_samples(genres, results, model, weights)
        for model in dict.fromkeys(model for pair in pairs for model in pair)
    }
    rows = {}
    for ensemble, model in pairs:
        row = {}
        for score in SCORES:
            difference = scores[ensemble][score] - scores[model][score]
            row[score] = difference[0]
            bounds = np.nanquantile(difference[1:], QUANTILES)
            row[f"{score}_low"], row[f"{score}_high"] = bounds
        rows[f"{ensemble} minus {model}"] = row
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("difference")


def readable_differences(differences: pd.DataFrame) -> pd.DataFrame:
    """Return differences with their intervals as text."""
    table = pd.DataFrame(index=differences.index)
    for column, heading in SCORES.items():
        bounds = zip(differences[f"{column}_low"], differences[f"{column}_high"], strict=True)
        table[heading] = [
            f"{value:+.3f} [{low:+.3f}, {high:+.3f}]"
            for value, (low, high) in zip(differences[column], bounds, strict=True)
        ]
    return table


def _pair_names(modalities: Collection[str], networks: Collection[str]) -> list[tuple[str, str]]:
    """Return pairs of the names of an ensemble and of a model whose network the ensemble has."""
    alone = [[network] for network in networks] or [[]]
    pairs = [(each, each) for each in alone]
    if len(alone) > 1:
        pairs += [(list(networks), each) for each in alone]
    names = join_names(modalities)
    return [
        (name_ensemble(ensemble), names + "".join(f" ({network})" for network in model))
        for ensemble, model in pairs
    ]


def _draw_weights(results: Sequence[SeedResult], n_movies: int, n_samples: int) -> np.ndarray:
    """Return how often each movie is drawn. Shape (1 + n_samples, n_movies); row 0 is ones."""
    tested = sorted({row for result in results for row in result.split.test})
    weights = np.zeros((1 + n_samples, n_movies))
    weights[0] = 1
    shares = np.full(len(tested), 1 / len(tested))
    weights[1:, tested] = np.random.default_rng(0).multinomial(len(tested), shares, n_samples)
    return weights


def _score_samples(
    genres: np.ndarray, results: Sequence[SeedResult], model: str, weights: np.ndarray
) -> dict[str, np.ndarray]:
    """Return the mean scores of a model over seeds. Shape of each (1 + n_samples,)."""
    roc_aucs, accuracies = [], []
    for result in results:
        outcome: Outcome = next(each for each in result.outcomes if each.model == model)
        y, drawn = genres[result.split.test], weights[:, result.split.test]
        columns = zip(y.T == 1, outcome.test_scores.T, strict=True)
        roc_aucs.append(_mean([_roc_auc(true, scores, drawn) for true, scores in columns]))
        right = (apply_thresholds(outcome.test_scores, outcome.thresholds) == y).mean(axis=1)
        accuracies.append(_divide(drawn @ right, drawn.sum(axis=1)))
    return {"mean_roc_auc": _mean(roc_aucs), "mean_accuracy": _mean(accuracies)}


def _roc_auc(true: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the share of pairs that are in the right order, by sample; NaN for one class."""
    positive, negative = scores[true][:, np.newaxis], scores[~true]
    in_order = (positive > negative) + (positive == negative) / 2
    of_positive, of_negative = weights[:, true], weights[:, ~true]
    n_pairs = of_positive.sum(axis=1) * of_negative.sum(axis=1)
    return _divide(((of_positive @ in_order) * of_negative).sum(axis=1), n_pairs)


def _divide(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return means by sample; NaN where nothing was drawn."""
    return np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0)


def _mean(values: list[np.ndarray]) -> np.ndarray:
    """Return the mean of all values but NaN, by sample."""
    return pd.DataFrame(values).mean().to_numpy()
