"""The page of a finished run: what `write_report` shows, from the results of the run."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from multimodal_ensemble import FeatureStore, MultimodalClassifier, MultimodalEnsemble
from multimodal_ensemble.estimators import modality_importance
from multimodal_ensemble.explanation import ImageMap
from multimodal_ensemble.model_selection import ComparisonResult
from multimodal_ensemble.reporting import GalleryRow, StudyResults, make_gallery

from ..data import Movies
from ..options import RunOptions
from ._comparison import list_pairs
from ._controls import TRIVIAL
from ._encoders import WITH_TEXTS, join_names
from ._saved_models import list_saved_models, load_model
from ._split import SeedResult

# The number of test movies whose posters get a map, which takes many passes of the network.
N_MAPS, N_REGIONS = 6, 5
# A tag on fewer test movies marks a genre by chance.
FEWEST_MOVIES = 3
FAMILIES = {"ensemble": "ensembles", "plain call": "plain calls", "linear": "linear controls"}
# What the starts of the names of models mean.
TERMS = {
    "ensemble": "one linear model per modality, whose log-odds are added.",
    "plain call": "the classifier of the library without options, not tuned for these data.",
    "linear, joined": "logistic regressions on the numbers of all modalities side by side.",
    "linear, summed": "the sum of one logistic regression per modality.",
    "trivial": "gives all movies the same scores; what a model must beat.",
}


def collect_results(
    options: RunOptions,
    movies: Movies,
    results: Sequence[SeedResult],
    comparison: ComparisonResult,
    notes: Sequence[str],
    provenance: Mapping[str, str],
    store: FeatureStore,
) -> StudyResults:
    """Return everything that the page of a run shows.

    The saved model that was best before the test explains the test movies of the first seed.
    """
    modalities, first = options.source.modalities, results[0]
    shown = {
        "title": f"Movie genres from {join_names(modalities)}",
        "unit": "movies",
        "label_unit": "genres",
        "families": {model: _find_family(model, modalities) for model in comparison.models},
        "trivial": TRIVIAL,
        "claims": list_pairs(comparison, modalities, options.backbones),
        "histories": {
            outcome.model: outcome.history
            for outcome in first.outcomes
            if outcome.history is not None
        },
        "notes": notes,
        "terms": list_terms(comparison.models),
        "provenance": provenance,
    }
    files = list_saved_models(options.out)
    if saved := [outcome for outcome in first.outcomes if outcome.model in files]:
        name = max(saved, key=lambda outcome: outcome.roc_auc).model
        model = load_model(files[name]).set_params(store=store, verbose=0)
        shown |= {"model": name, **_explain(model, movies, first.split.test)}
        shown["provenance"] = {
            **provenance,
            "Explained model": f"{name}, the best of the saved models before the test",
        }
    return StudyResults(comparison, **shown)


def list_terms(models: Sequence[str]) -> dict[str, str]:
    """Return what the names of models mean; the name of a run and ": " may be in front of them."""
    names = [model.rpartition(": ")[2] for model in models]
    return {
        term: meaning
        for term, meaning in TERMS.items()
        if any(name.startswith(term) for name in names)
    }


def _find_family(model: str, modalities: Sequence[str]) -> str:
    if model == TRIVIAL:
        return "trivial"
    for start, family in FAMILIES.items():
        if model.startswith(start):
            return family
    is_joined = model.startswith(join_names(modalities)) and len(modalities) > 1
    return "all modalities" if is_joined or WITH_TEXTS in model else "one modality"


def _explain(
    model: MultimodalClassifier | MultimodalEnsemble, movies: Movies, rows: Sequence[int]
) -> dict[str, object]:
    """Return the fields of `StudyResults` that explain a model on test movies."""
    y = movies.data.genres.iloc[rows].reset_index(drop=True)
    X = movies.data.movies.iloc[rows].reset_index(drop=True)
    sees_posters = any("poster_file" in encoder.columns for encoder in model.encoders_)
    if sees_posters:
        # Thumbnails need whole paths, and the encoder would start relative ones at its own folder.
        folder = movies.folder.resolve()
        X["poster_file"] = [str(folder / file) for file in X["poster_file"]]
    gallery = make_gallery(
        model,
        X,
        y,
        titles=X["title"],
        images="poster_file" if sees_posters else None,
        maps=_map_posters(model, X) if sees_posters else (),
    )
    gallery = [
        replace(row, tokens=_rename(row.tokens), contributions=_rename(row.contributions))
        for row in gallery
    ]
    importance = modality_importance(model, X, y) if len(model.encoders_) > 1 else None
    if importance is not None:
        importance["modality"] = importance["modality"].map(_name_modality, na_action="ignore")
    return {
        "gallery": gallery,
        "importance": importance,
        "label_tokens": _mark_genres(gallery, list(y.columns)),
    }


def _rename(by_modality: Mapping[str, Any]) -> dict[str, Any]:
    return {_name_modality(name): values for name, values in by_modality.items()}


def _name_modality(name: str) -> str:
    """Return the name of a modality without that of a network or of the column of posters.

    Explanations add what several networks say about the posters, so that one name is left.
    """
    return "poster" if name.startswith("poster_") else name


def _map_posters(
    model: MultimodalClassifier | MultimodalEnsemble, X: pd.DataFrame
) -> list[ImageMap]:
    """Return maps of the first posters whose best genre is the most frequent best genre."""
    best = model.predict_proba(X).argmax(axis=1)
    genre = np.bincount(best).argmax()
    rows = np.flatnonzero(best == genre)[:N_MAPS]
    return model.explain_image(X.iloc[rows], model.classes_[genre], n_regions=N_REGIONS)


def _mark_genres(gallery: Sequence[GalleryRow], genres: Sequence[str]) -> pd.DataFrame | None:
    """Return the mean contribution of each tag or word to each genre, the largest first."""
    found = [
        (genre, token, value)
        for row in gallery
        for tokens in row.tokens.values()
        for token, values in tokens.items()
        for genre, value in zip(genres, values, strict=True)
    ]
    table = pd.DataFrame(found, columns=["label", "token", "weight"])
    table = table.groupby(["label", "token"])["weight"].agg(["mean", "size"]).reset_index()
    table = table[(table["size"] >= FEWEST_MOVIES) & (table["mean"] > 0)]
    table = table.rename(columns={"mean": "weight"}).sort_values(
        ["label", "weight"], ascending=[True, False], kind="stable"
    )
    return table if len(table) else None
