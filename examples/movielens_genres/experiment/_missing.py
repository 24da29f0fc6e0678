"""One model for movies with poster and tags, poster only and tags only, against one for each."""

from collections.abc import Sequence

import pandas as pd

from multimodal_ensemble import (
    BagOfWordsEncoder,
    FeatureStore,
    ImageEncoder,
    MultimodalClassifier,
)

from ..data import MovieData
from ._recipes import RECOMMENDED
from ._split import split_rows

ONE_FOR_ALL = "one for all"
CASES = {
    "poster and tags": ["poster", "tags"],
    "poster only": ["poster"],
    "tags only": ["tags"],
}


def compare(
    data: MovieData, poster: ImageEncoder, store: FeatureStore, seed: int
) -> list[dict[str, object]]:
    """Return the figures of all models on all cases, on the split of one seed."""
    movies = data.movies[["poster_file", "tags"]]
    # A movie without a single tag has not been tagged: its tags are unknown, not none. Models that
    # know no difference take an empty list for both.
    unknown = movies.assign(tags=[tags or None for tags in movies["tags"]])
    tags = BagOfWordsEncoder("tags", max_tokens=400, **RECOMMENDED.words)
    encoders = {"poster": poster, "tags": tags}
    train, validation, test = split_rows(len(movies), seed)
    rows = []
    for model, names in {ONE_FOR_ALL: ["poster", "tags"], **CASES}.items():
        print(f"Seed {seed}, training: {model}")
        one_for_all = model == ONE_FOR_ALL
        table = unknown if one_for_all else movies
        classifier = MultimodalClassifier(
            [encoders[name].set_params(optional=one_for_all) for name in names],
            modality_dropout=RECOMMENDED.modality_dropout,
            epochs=RECOMMENDED.epochs,
            batch_size=RECOMMENDED.batch_size,
            optimizer=RECOMMENDED.optimizer(),
            evaluate_every=RECOMMENDED.evaluate_every,
            patience=RECOMMENDED.patience,
            store=store,
            random_state=seed,
            verbose=0,
        ).fit(
            table.iloc[train],
            data.genres.iloc[train],
            validation_data=(table.iloc[validation], data.genres.iloc[validation]),
        )
        for case, given in CASES.items():
            if one_for_all or given == names:
                evaluation = classifier.evaluate(
                    _only(table.iloc[test], given), data.genres.iloc[test]
                )
                rows.append(
                    {
                        "given": case,
                        "model": model if one_for_all else "made for this",
                        "mean ROC-AUC": evaluation.mean_roc_auc,
                        "mean accuracy": evaluation.mean_accuracy,
                    }
                )
    return rows


def summarize(rows: pd.DataFrame) -> pd.DataFrame:
    """Return mean and standard deviation over seeds, as text."""
    groups = rows.groupby(["given", "model"], sort=False)
    table = groups.mean().map("{:.3f}".format)
    if groups.size().min() > 1:
        table += " ± " + groups.std().map("{:.3f}".format)
    return table.reset_index().sort_values("given", kind="stable").set_index("given")


def _only(movies: pd.DataFrame, given: Sequence[str]) -> pd.DataFrame:
    columns = {"poster": "poster_file", "tags": "tags"}
    return movies[[columns[name] for name in given]]
