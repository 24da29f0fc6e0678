"""The comparison of all models on the test movies, and the differences that the study asks about.

Everything comes from `ComparisonResult`, whose intervals are those of a paired bootstrap.
"""

from collections.abc import Collection, Sequence

import pandas as pd

from multimodal_ensemble.model_selection import ComparisonResult, ComparisonSplit

from ..data import MovieData
from ._encoders import PLURALS, WITH_TEXTS, join_names, name_model
from ._split import SeedResult

# In the folder of results.
COMPARISON_FILE = "comparison.scores"
# The scores in tables, by their column.
SCORES = {
    "mean_roc_auc": "mean ROC-AUC",
    "mean_accuracy": "mean accuracy",
    "micro_f1": "micro F1",
    "macro_f1": "macro F1",
}
# The scores whose differences are listed.
COMPARED = ("mean_roc_auc", "mean_accuracy")


def compare_outcomes(
    data: MovieData, results: Sequence[SeedResult], *, in_folds: bool
) -> ComparisonResult:
    """Return the scores and thresholds of all models on the test movies of all seeds.

    The rows are named by ``movieId``. The number of a repeat is its seed, and all folds are one
    repeat, that of the first seed.
    """
    first = results[0].split.seed
    return ComparisonResult.from_scores(
        data.genres.to_numpy(),
        [
            ComparisonSplit(
                result.split.test,
                {outcome.model: outcome.test_scores for outcome in result.outcomes},
                {outcome.model: outcome.thresholds for outcome in result.outcomes},
                repeat=first if in_folds else result.split.seed,
                seconds={outcome.model: outcome.seconds for outcome in result.outcomes},
            )
            for result in results
        ],
        labels=list(data.genres.columns),
        rows=data.movies["movieId"].tolist(),
        metrics=list(SCORES),
    )


def list_differences(
    comparison: ComparisonResult, modalities: Collection[str], networks: Collection[str]
) -> pd.DataFrame:
    """Return the differences that the study asks about; see `list_pairs`."""
    return pair_differences(comparison, list_pairs(comparison, modalities, networks))


def list_pairs(
    comparison: ComparisonResult, modalities: Collection[str], networks: Collection[str]
) -> list[tuple[str, str]]:
    """Return the pairs of models that the study asks about, and that were both trained.

    These are all modalities together minus each alone, one network for posters minus another, each
    ensemble minus the model of the same modalities and networks, and, where there are texts, each
    model with them minus the same model without.

    Parameters
    ----------
    comparison : ComparisonResult
        From `compare_outcomes`.
    modalities, networks : collection of str
        What the models see.

    Returns
    -------
    list of (str, str)
        The model that may be better, and the other.
    """
    trained = set(comparison.models)
    return [pair for pair in _pair_names(modalities, networks) if trained.issuperset(pair)]


def pair_differences(
    comparison: ComparisonResult, pairs: Sequence[tuple[str, str]]
) -> pd.DataFrame:
    """Return the differences of pairs of models, the second one subtracted from the first.

    Returns
    -------
    DataFrame
        One row per pair, with the difference of each score in `COMPARED` and the bounds of its
        interval, "_low" and "_high".
    """
    rows = {}
    for model, other in pairs:
        pair = comparison.select([other, model], metrics=COMPARED)
        table = pair.table.query("model == @model").set_index("metric")
        row = {}
        for score in COMPARED:
            bounds = table.loc[score, ["difference", "difference_low", "difference_high"]]
            row[score], row[f"{score}_low"], row[f"{score}_high"] = bounds
        rows[f"{model} minus {other}"] = row
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("difference")


def readable_differences(differences: pd.DataFrame) -> pd.DataFrame:
    """Return differences with their intervals as text."""
    table = pd.DataFrame(index=differences.index)
    for column in COMPARED:
        bounds = zip(differences[f"{column}_low"], differences[f"{column}_high"], strict=True)
        table[SCORES[column]] = [
            f"{value:+.3f} [{low:+.3f}, {high:+.3f}]"
            for value, (low, high) in zip(differences[column], bounds, strict=True)
        ]
    return table


def _pair_names(modalities: Collection[str], networks: Collection[str]) -> list[tuple[str, str]]:
    """Return pairs of the names of models: the one that may be better, and the other."""
    alone = [[network] for network in networks] or [[]]
    every = [*alone, list(networks)] if len(alone) > 1 else alone
    names = join_names(modalities)
    # All modalities with each of them, ...
    named = [
        (name_model(names, each), name_model(PLURALS[name], each if name == "poster" else []))
        for each in alone
        for name in modalities
        if len(modalities) > 1
    ]
    # ... the first network with each other one, ...
    named += [
        (name_model(name, alone[0]), name_model(name, other))
        for name in dict.fromkeys(("posters", names, "ensemble"))
        for other in alone[1:]
    ]
    # ... ensembles with networks, ...
    pairs = [(each, each) for each in alone]
    if len(alone) > 1:
        pairs += [(list(networks), each) for each in alone]
    named += [
        (name_model(f"ensemble{phrase}", ensemble), name_model(f"{names}{phrase}", model))
        for phrase in ("", WITH_TEXTS)
        for ensemble, model in pairs
    ]
    # ... and models with texts with the same ones without.
    named += [
        (name_model(f"{name}{WITH_TEXTS}", each), name_model(name, each))
        for name in ("ensemble", names, "plain call")
        for each in every
    ]
    return named
