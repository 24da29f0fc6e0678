"""One model for movies that lack a poster or tags, compared with one model per case."""

import pandas as pd

from multimodal_ensemble import Encoder, FeatureStore, MultimodalClassifier
from multimodal_ensemble.model_selection import ComparisonResult, ComparisonSplit
from multimodal_ensemble.reporting import StudyResults, to_markdown, write_report

from ..data import Movies
from ..options import MissingOptions
from ._comparison import COMPARED, COMPARISON_FILE, SCORES
from ._encoders import build_networks, make_encoders, make_posters
from ._recipes import RECOMMENDED
from ._split import Split, split_rows

ONE_FOR_ALL, MADE_FOR_THIS = "one for all", "made for this"
COLUMNS = {"poster": "poster_file", "tags": "tags"}
CASES = {
    "poster and tags": ["poster", "tags"],
    "poster only": ["poster"],
    "tags only": ["tags"],
}


def compare_missing(movies: Movies, options: MissingOptions) -> str:
    """Return a Markdown table of all models and cases, over all seeds, and write the page."""
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
    comparison = ComparisonResult.from_scores(
        data.genres.to_numpy(),
        [_compare_on_split(movies, encoders, store, split) for split in splits],
        labels=list(data.genres.columns),
        rows=data.movies["movieId"].tolist(),
        metrics=COMPARED,
    )
    comparison.save(options.out / COMPARISON_FILE)
    write_report(_collect_results(comparison, options), options.out / "report.html")
    return to_markdown(_summarize(comparison.table))


def _collect_results(comparison: ComparisonResult, options: MissingOptions) -> StudyResults:
    """Return what the page shows: for each case, one model for all and one made for it."""
    is_random = options.weights is None
    weights = "random" if is_random else options.weights
    return StudyResults(
        comparison,
        title="Movies without a poster or tags",
        unit="movies",
        label_unit="genres",
        families={model: model.partition(": ")[2] for model in comparison.models},
        claims=[(f"{case}: {ONE_FOR_ALL}", f"{case}: {MADE_FOR_THIS}") for case in CASES],
        notes=[f"Random weights in {options.backbone}."] if is_random else [],
        provenance={
            "Data": options.source.name,
            "Backbone": f"{options.backbone}, {weights} weights",
            "Seeds": ", ".join(map(str, options.seeds)),
            "Command": options.command,
        },
    )


def _compare_on_split(
    movies: Movies, encoders: dict[str, Encoder], store: FeatureStore, split: Split
) -> ComparisonSplit:
    """Return the scores of all models in all cases on one split."""
    genres, known = movies.data.genres, movies.data.movies[list(COLUMNS.values())]
    # For the model with optional modalities, a movie that nobody tagged has unknown tags. The
    # other models see an empty list.
    unknown = known.assign(tags=[tags or None for tags in known["tags"]])
    scores, thresholds = {}, {}
    for model, names in {ONE_FOR_ALL: ["poster", "tags"], **CASES}.items():
        print(f"Seed {split.seed}, training: {model}")
        is_for_all = model == ONE_FOR_ALL
        table = unknown if is_for_all else known
        classifier = MultimodalClassifier(
            [encoders[name].set_params(optional=is_for_all) for name in names],
            **RECOMMENDED.classifier_options(),
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
                name = f"{case}: {ONE_FOR_ALL if is_for_all else MADE_FOR_THIS}"
                scores[name] = classifier.predict_proba(test)
                thresholds[name] = classifier.thresholds_
    # By case first, so that the two models of a case are beside each other.
    ordered = {name: scores[name] for name in sorted(scores, key=_place_of_case)}
    return ComparisonSplit(split.test, ordered, thresholds, repeat=split.seed)


def _place_of_case(model: str) -> int:
    return list(CASES).index(model.partition(": ")[0])


def _summarize(table: pd.DataFrame) -> pd.DataFrame:
    """Return mean and standard deviation over seeds, as text."""
    texts = table["score"].map("{:.3f}".format)
    if table["sd_repeats"].notna().any():
        texts += " ± " + table["sd_repeats"].map("{:.3f}".format)
    wide = table.assign(text=texts).pivot(index="model", columns="metric", values="text")
    wide = wide.loc[list(dict.fromkeys(table["model"])), list(COMPARED)].rename(columns=SCORES)
    cases = [model.split(": ") for model in wide.index]
    wide.index = pd.Index([case for case, _ in cases], name="given")
    wide.insert(0, "model", [model for _, model in cases])
    return wide.rename_axis(columns=None)
