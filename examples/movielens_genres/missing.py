"""One model for movies with poster and tags, poster only and tags only, against one for each.

``python -m examples.movielens_genres.missing --data FOLDER --weights FILE`` trains, on the split of
each seed, a classifier whose modalities are both optional, and three that are made for just one of
the cases, and prints a table of how each does on the test movies.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pandas as pd

from multimodal_ensemble import (
    BagOfWordsEncoder,
    FeatureStore,
    ImageEncoder,
    MultimodalClassifier,
)
from multimodal_ensemble.exceptions import MultimodalEnsembleError
from multimodal_ensemble.reporting import to_markdown

from ._data import DataError, Filters, MovieData, prepare_movies, split_rows
from ._recipes import RECOMMENDED

ONE_FOR_ALL = "one for all"
CASES = {
    "poster and tags": ["poster", "tags"],
    "poster only": ["poster"],
    "tags only": ["tags"],
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.movielens_genres.missing", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--data", required=True, metavar="FOLDER", help="data folder")
    parser.add_argument("--backbone", default="VGG16", help="a network of keras.applications")
    parser.add_argument("--weights", default="imagenet", help="a path, 'imagenet' or 'random'")
    parser.add_argument("--image-size", type=int, metavar="PIXELS", help="side of the posters")
    parser.add_argument("--store", default=".feature_store", metavar="FOLDER")
    parser.add_argument("--min-tag-users", type=int, default=Filters.min_tag_users)
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--repeat", type=int, default=1, metavar="N", help="how many seeds")
    options = parser.parse_args(arguments)
    try:
        table = run(options)
    except (DataError, MultimodalEnsembleError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"\n{to_markdown(table)}\n")
    return 0


def run(options: argparse.Namespace) -> pd.DataFrame:
    """Return the table of all seeds."""
    data = prepare_movies(Path(options.data), Filters(min_tag_users=options.min_tag_users))
    poster = ImageEncoder(
        "poster",
        column="poster_file",
        backbone=options.backbone,
        weights=None if options.weights == "random" else options.weights,
        image_size=options.image_size,
        root=options.data,
        seed=options.seed,
        **RECOMMENDED.posters,
    )
    store = FeatureStore(options.store)
    rows = [
        row
        for seed in range(options.seed, options.seed + options.repeat)
        for row in compare(data, poster, store, seed)
    ]
    return summarize(pd.DataFrame(rows))


def compare(
    data: MovieData, poster: ImageEncoder, store: FeatureStore, seed: int
) -> list[dict[str, object]]:
    """Return the figures of all models on all cases, on the split of one seed."""
    movies = data.movies[["poster_file", "tags"]]
    # A movie without a single tag has not been tagged: its tags are unknown, not none. Models that
    # know no difference take an empty list for both.
    unknown = movies.assign(tags=[tags or None for tags in movies["tags"]])
    tags = BagOfWordsEncoder("tags", max_tokens=400, **RECOMMENDED.tags)
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


if __name__ == "__main__":
    raise SystemExit(main())
