"""Encoders of the modalities, and the combinations that are trained together."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import keras
from sklearn.base import clone

from multimodal_ensemble import (
    BagOfWordsEncoder,
    DenseEncoder,
    Encoder,
    ImageEncoder,
    TagEmbeddingEncoder,
    TextEncoder,
    fit_encoders,
)

from .._errors import DataError, UsageError
from ..data import MovieData
from ._recipes import EncoderOptions
from ._split import Split

# The names of the modalities in the names of models.
PLURALS = {
    "poster": "posters",
    "tags": "tags",
    "title": "titles",
    "year": "years",
    "language": "languages",
}
# In the names of models that see titles and tags as texts.
WITH_TEXTS = " with texts"
# A network with random weights must be the same, and so have the same features, in every split.
RANDOM_WEIGHTS_SEED = 1


def make_posters(
    backbones: Mapping[str, str | None],
    folder: Path,
    options: EncoderOptions,
    **more: Any,
) -> dict[str, ImageEncoder]:
    """Return one encoder of posters per network.

    Raises
    ------
    UsageError
        If there is no such network.
    """
    try:
        return {
            name: ImageEncoder(
                "poster",
                column="poster_file",
                backbone=name,
                weights=weights,
                root=folder,
                seed=RANDOM_WEIGHTS_SEED,
                **options.posters,
                **more,
            )
            for name, weights in backbones.items()
        }
    except ValueError as error:
        raise UsageError(error) from error


def build_networks(posters: Iterable[ImageEncoder]) -> None:
    """Build the networks.

    Raises
    ------
    UsageError
        If the image size is too small for a network.
    """
    try:
        for poster in posters:
            poster.get_backbone()
    except ValueError as error:
        raise UsageError(error) from error


def write_random_weights(posters: Mapping[str, ImageEncoder], folder: Path) -> None:
    """Write random weights to one file per network.

    Saved models refer to that file as they do to a file of pretrained weights.
    """
    for name, poster in posters.items():
        if poster.weights is None:
            folder.mkdir(exist_ok=True)
            path = folder / f"{name}.weights.h5"
            layers = poster.get_backbone().layers
            (network,) = (layer for layer in layers if isinstance(layer, keras.Model))
            network.save_weights(path)
            # The network that is built has these weights already.
            poster.weights = str(path.absolute())


def make_texts(
    backbone: Path | None, data: MovieData, modalities: Collection[str], options: EncoderOptions
) -> dict[str, TextEncoder]:
    """Return encoders of titles, and of tags that users gave, by the names of these texts.

    A tag is a short text, and the tags of a movie are the mean of their vectors. There are no
    encoders without a backbone.

    Raises
    ------
    UsageError
        If the backbone cannot be read.
    """
    if backbone is None:
        return {}
    titles = TextEncoder("title_text", backbone=str(backbone), **options.texts)
    try:
        titles.get_backbone()
    except (ImportError, ValueError, OSError) as error:
        raise UsageError(error) from error
    texts = {"titles": titles}
    if "tags" in modalities and not data.genome_tags:
        # A copy does not read the folder again. A movie without tags has no vector of them.
        texts["tags"] = clone(titles).set_params(
            name="tag_text", column="tags", items="mean", optional=True
        )
    return texts


def make_encoders(
    data: MovieData,
    modalities: Collection[str],
    options: EncoderOptions,
    *,
    max_tags: int | None = None,
) -> dict[str, Encoder]:
    """Return the unfitted encoders of all modalities except the posters."""
    words = dict(options.words) if max_tags is None else {**options.words, "max_tokens": max_tags}
    encoders = {
        "tags": DenseEncoder("tags", **options.relevances)
        if data.genome_tags
        else BagOfWordsEncoder("tags", **words),
        # A word that occurs in a single title says nothing about others.
        "title": BagOfWordsEncoder("title", column="title_words", **{**words, "min_df": 2}),
        "year": DenseEncoder("year", **options.years),
        # A language is a single word, so its bag of words is one-hot.
        "language": BagOfWordsEncoder("language", delimiter="|", **words),
    }
    return {name: encoders[name] for name in modalities if name in encoders}


def fit_on_training_rows(encoders: Mapping[str, Encoder], data: MovieData, split: Split) -> None:
    """Fit encoders on training movies.

    Raises
    ------
    DataError
        If there is nothing to learn, such as no word that occurs often enough.
    """
    try:
        if encoders:
            fit_encoders(list(encoders.values()), data.movies.iloc[split.train])
    except ValueError as error:
        msg = f"{error} Change the filters, or run with other --modalities."
        raise DataError(msg) from error


def list_models(
    encoders: Mapping[str, Encoder],
    posters: Mapping[str, ImageEncoder],
    texts: Mapping[str, TextEncoder],
) -> dict[str, list[Encoder]]:
    """Return the encoders of each model: of each modality alone, then of all together.

    With tags and two networks for posters, these are the five models of the study. Texts add a
    model each, and one of everything per network.
    """
    models: dict[str, list[Encoder]] = {PLURALS[name]: [encoders[name]] for name in encoders}
    models |= {f"{name} as text": [text] for name, text in texts.items()}
    models |= {f"posters ({network})": [poster] for network, poster in posters.items()}
    names = join_names(["poster"] * bool(posters) + list(encoders))
    for suffix, together in list_together(encoders, posters, texts).items():
        if len(together) > 1:
            models[f"{names}{suffix}"] = together
    return models


def list_together(
    encoders: Mapping[str, Encoder],
    posters: Mapping[str, ImageEncoder],
    texts: Mapping[str, TextEncoder],
) -> dict[str, list[Encoder]]:
    """Return all modalities together, once per network, by the suffix of the names of models.

    Where there are texts, once more with them.
    """
    together = {}
    for phrase, more in list_text_sets(texts).items():
        others = [*encoders.values(), *more]
        for network, poster in posters.items():
            together[f"{phrase} ({network})"] = [poster, *others]
        if not posters:
            together[phrase] = others
    return together


def list_text_sets(texts: Mapping[str, TextEncoder]) -> dict[str, list[TextEncoder]]:
    """Return no texts and then, where there are some, all, by the phrase in names of models."""
    return {"": [], **({WITH_TEXTS: list(texts.values())} if texts else {})}


def list_ensembles(
    encoders: Mapping[str, Encoder],
    posters: Mapping[str, ImageEncoder],
    texts: Mapping[str, TextEncoder],
) -> dict[str, list[Encoder]]:
    """Return the encoders of each ensemble by its name: once per network, then with all of them.

    Bags of tags are joined by an embedding of the same tags. Where there are texts, each is listed
    once more with them.
    """
    others = list(encoders.values())
    if isinstance(encoders.get("tags"), BagOfWordsEncoder):
        others.append(TagEmbeddingEncoder("tag_embedding", column="tags"))
    sets = [[network] for network in posters]
    if len(posters) != 1:
        sets.append(list(posters))
    return {
        name_model(f"ensemble{phrase}", networks): [
            *(clone(posters[network]).set_params(name=f"poster_{network}") for network in networks),
            *others,
            *more,
        ]
        for phrase, more in list_text_sets(texts).items()
        for networks in sets
    }


def name_model(name: str, networks: Collection[str]) -> str:
    """Return the name of the model whose posters are encoded by these networks.

    Examples
    --------
    >>> name_model("ensemble", ["VGG16", "MobileNet"])
    'ensemble (VGG16, MobileNet)'
    """
    return f"{name} ({', '.join(networks)})" if networks else name


def join_names(modalities: Iterable[str]) -> str:
    """Return modalities as a phrase.

    Examples
    --------
    >>> join_names(["poster", "tags", "year"])
    'posters, tags and years'
    """
    *names, last = (PLURALS[name] for name in modalities)
    return f"{', '.join(names)} and {last}" if names else last
