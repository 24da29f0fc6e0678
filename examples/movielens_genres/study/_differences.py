"""Differences between ensembles and networks, with intervals from a paired bootstrap."""

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd

from multimodal_ensemble import apply_thresholds

from ...paired_bootstrap import SplitScores, draw_weights, score_samples, summarize
from ._encoders import WITH_TEXTS, join_names, name_model
from ._split import Outcome, SeedResult

# The scores that are compared, by their column.
SCORES = {"mean_roc_auc": "mean ROC-AUC", "mean_accuracy": "mean accuracy"}


def list_differences(
    genres: np.ndarray,
    results: Sequence[SeedResult],
    modalities: Collection[str],
    networks: Collection[str],
    *,
    n_samples: int = 1000,
) -> pd.DataFrame:
    """Return how much each ensemble is above the models of the same modalities and networks.

    Where there are texts, also how much each model with them is above the same model without.

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
        One row per pair of models that were both trained, with the differences
        of the mean ROC-AUC and the mean accuracy, and the bounds of their 95 % intervals, "_low"
        and "_high".

    References
    ----------
    .. [1] Efron and Tibshirani, "An Introduction to the Bootstrap", Chapman & Hall, 1993.
    """
    trained = {outcome.model for outcome in results[0].outcomes}
    pairs = [pair for pair in _pair_names(modalities, networks) if trained.issuperset(pair)]
    weights = draw_weights([result.split.test for result in results], len(genres), n_samples)
    scores = {
        model: score_samples(genres, _split_scores(results, model), weights)
        for model in dict.fromkeys(model for pair in pairs for model in pair)
    }
    rows = {}
    for ensemble, model in pairs:
        summary = summarize(scores[ensemble] - scores[model])
        row = {}
        for score in SCORES:
            row[score], row[f"{score}_low"], row[f"{score}_high"] = summary.loc[score]
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
    """Return pairs of the names of models: the one that may be better, and the other."""
    alone = [[network] for network in networks] or [[]]
    every = [*alone, list(networks)] if len(alone) > 1 else alone
    pairs = [(each, each) for each in alone]
    if len(alone) > 1:
        pairs += [(list(networks), each) for each in alone]
    names = join_names(modalities)
    named = [
        (name_model(f"ensemble{phrase}", ensemble), name_model(f"{names}{phrase}", model))
        for phrase in ("", WITH_TEXTS)
        for ensemble, model in pairs
    ]
    named += [
        (name_model(f"{name}{WITH_TEXTS}", each), name_model(name, each))
        for name in ("ensemble", names, "plain call")
        for each in every
    ]
    return named


def _split_scores(results: Sequence[SeedResult], model: str) -> list[SplitScores]:
    """Return what a model says about the test movies of each seed."""
    tested = []
    for result in results:
        outcome: Outcome = next(each for each in result.outcomes if each.model == model)
        predicted = apply_thresholds(outcome.test_scores, outcome.thresholds)
        tested.append(SplitScores(result.split.test, outcome.test_scores, predicted))
    return tested
