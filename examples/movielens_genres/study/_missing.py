"""One model for movies that lack a poster or tags, compared with one model per case."""

import pandas as pd

from multimodal_ensemble import Encoder, FeatureStore, MultimodalClassifier
from multimodal_ensemble.reporting import to_markdown

from ..data import Movies
from ..options import MissingOptions
from ._encoders import build_networks, make_encoders, make_posters
from ._recipes import RECOMMENDED
from ._split import Split, split_rows

ONE_FOR_ALL = "one for all"
COLUMNS = {"poster": "poster_file", "tags": "tags"}
CASES = {
    "poster and tags": ["poster", "tags"],
    "poster only": ["poster"],
    "tags only": ["tags"],
}


def compare_missing(movies: Movies, options: MissingOptions) -> str:
    """Return a Markdown table of all models and cases, over all seeds."""
    data, recipe = movies.data, RECOMMENDED.encoders
    backbones = {options.backbone: options.weights}
    (poster,) = make_posters(
        backbones, movies.folder, recipe, image_size=options.image_size
    ).values()
    build_networks([poster])
    encoders = {
        "poster": poster,
        **make_encoders(data, ["tags"], recipe, max_tags=400),
    }
    store = FeatureStore(options.store)
    splits = [split_rows(data.genres.to_numpy(), seed) for seed in options.seeds]
    rows = [row for split in splits for row in _compare_on_split(movies, encoders, store, split)]
    return to_markdown(_summarize(pd.DataFrame(rows)))


def _compare_on_split(
    movies: Movies, encoders: dict[str, Encoder], store: FeatureStore, split: Split
) -> list[dict[str, object]]:
    """Return the scores of all models in all cases on one split."""
    genres, known = movies.data.genres, movies.data.movies[list(COLUMNS.values())]
    # For the model with optional modalities, a movie that nobody tagged has unknown tags. The
    # other models see an empty list.
    unknown = known.assign(tags=[tags or None for tags in known["tags"]])
    rows = []
    for model, names in {ONE_FOR_ALL: ["poster", "tags"], **CASES}.items():
        print(f"Seed {split.seed}, training: {model}")
        is_for_all = model == ONE_FOR_ALL
        table = unknown if is_for_all else known
        classifier = MultimodalClassifier(
            [encoders[name].set_params(optional=is_for_all) for name in names],
            dropout=RECOMMENDED.dropout,
            modality_dropout=RECOMMENDED.modality_dropout,
            epochs=RECOMMENDED.epochs,
            batch_size=RECOMMENDED.batch_size,
            optimizer=RECOMMENDED.optimizer(),
            loss=RECOMMENDED.loss,
            evaluate_every=RECOMMENDED.evaluate_every,
            patience=RECOMMENDED.patience,
            store=store,
            random_state=split.seed,
            verbose=0,
        ).fit(
            table.iloc[split.train],
            genres.iloc[split.train],
            validation_data=(table.iloc[split.validation], genres.iloc[split.validation]),
        )
        for case, given in CASES.items():
            if is_for_all or given == names:
                test = table.iloc[split.test][[COLUMNS[name] for name in given]]
                evaluation = classifier.evaluate(test, genres.iloc[split.test])
                rows.append(
                    {
                        "given": case,
                        "model": model if is_for_all else "made for this",
                        "mean ROC-AUC": evaluation.mean_roc_auc,
                        "mean accuracy": evaluation.mean_accuracy,
                    }
                )
    return rows


def _summarize(rows: pd.DataFrame) -> pd.DataFrame:
    """Return mean and standard deviation over seeds, as text."""
    groups = rows.groupby(["given", "model"], sort=False)
    table = groups.mean().map("{:.3f}".format)
    if groups.size().min() > 1:
        table += " ± " + groups.std().map("{:.3f}".format)
    return table.reset_index().sort_values("given", kind="stable").set_index("given")
