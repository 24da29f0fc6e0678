"""Encoders of the modalities, and which of them the models see."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from multimodal_ensemble import BagOfWordsEncoder, DenseEncoder, ImageEncoder
from multimodal_ensemble.encoders import Encoder

from ..data import MovieData
from ._recipes import Recipe

# What a model that sees the modality is called after.
PLURALS = {
    "poster": "posters",
    "tags": "tags",
    "title": "titles",
    "year": "years",
    "language": "languages",
}


def make_encoders(
    data: MovieData, modalities: Collection[str], recipe: Recipe, *, max_tags: int
) -> dict[str, Encoder]:
    """Return the encoders of all modalities but the posters, by modality; none is fitted yet."""
    words = {"max_tokens": max_tags, **recipe.words}
    encoders = {
        "tags": DenseEncoder("tags", **recipe.relevances)
        if data.genome_tags
        else BagOfWordsEncoder("tags", **words),
        # A word of a single title says nothing of others.
        "title": BagOfWordsEncoder("title", column="title_words", min_count=2, **words),
        "year": DenseEncoder("year", **recipe.years),
        # One word each, so the bag is one-hot.
        "language": BagOfWordsEncoder("language", delimiter="|", **words),
    }
    return {name: encoders[name] for name in modalities if name in encoders}


def list_models(
    encoders: Mapping[str, Encoder], posters: Mapping[str, ImageEncoder]
) -> dict[str, list[Encoder]]:
    """Return the encoders of each model: of each modality alone, then of all together.

    With tags and two networks for posters these are the study's five models.
    """
    models: dict[str, list[Encoder]] = {PLURALS[name]: [encoders[name]] for name in encoders}
    models |= {f"posters ({network})": [poster] for network, poster in posters.items()}
    for network, together in list_joined(encoders, posters).items():
        if len(together) > 1:
            models[f"{join_names(['poster'] * bool(posters) + list(encoders))}{network}"] = together
    return models


def list_joined(
    encoders: Mapping[str, Encoder], posters: Mapping[str, ImageEncoder]
) -> dict[str, list[Encoder]]:
    """Return all modalities together, once for each network, by what tells these apart."""
    others = list(encoders.values())
    if not posters:
        return {"": others}
    return {f" ({network})": [poster, *others] for network, poster in posters.items()}


def join_names(modalities: Iterable[str]) -> str:
    """Return modalities as a phrase.

    Examples
    --------
    >>> join_names(["poster", "tags", "year"])
    'posters, tags and years'
    """
    names: Sequence[str] = [PLURALS[name] for name in modalities]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
