"""The options of the commands that train, as the command line hands them on."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .data import Source


@dataclasses.dataclass(frozen=True)
class RunOptions:
    """Options of the command ``run``."""

    source: Source
    out: Path  # the folder for results
    store: Path  # the folder of the feature store
    # The weights of each network: a path or "imagenet", None for random ones.
    backbones: Mapping[str, str | None]
    # The side of the posters in pixels. None: the size that the network was trained with.
    image_size: int | None
    # The folder of a language model, with which models also see titles and tags as texts.
    text_backbone: Path | None
    recipe: str  # how the models are built and trained: "recommended", "reference"
    # What differs from the recipe: the loss, "binary" or "categorical", and the preprocessing of
    # posters, "imagenet" or "unit". None: as in the recipe.
    loss: str | None
    preprocessing: str | None
    only: tuple[str, ...]  # what is trained: "models", "ensemble", "plain", "linear"
    max_tags: int  # the size of the tag vocabulary
    views: int  # the number of augmented views of each training poster; 0 for no augmentation
    seeds: range  # the seeds; each draws a split and initial weights
    # Whether the movies are divided into as many folds as there are seeds, one tested with each.
    in_folds: bool
    mixed_precision: bool  # whether to compute in float16
    quiet: bool  # whether to print nothing during training
    command: str  # the command line, for the report


@dataclasses.dataclass(frozen=True)
class MissingOptions:
    """Options of the command ``missing``, with the same meaning as in `RunOptions`."""

    source: Source
    out: Path
    store: Path
    backbone: str
    weights: str | None
    image_size: int | None
    seeds: range
    command: str


@dataclasses.dataclass(frozen=True)
class CompareOptions:
    """Options of the command ``compare``."""

    runs: Mapping[str, Path]  # the folders of the runs, by the names that they have in the tables
    baseline: str | None  # the model that is subtracted from all others, such as "reference: tags"
    out: Path  # the folder for results
    command: str  # the command line, for the report


@dataclasses.dataclass(frozen=True)
class PredictOptions:
    """Options of the command ``predict``."""

    run: Path  # the folder of a run
    model: str | None  # one of its models. None: the best before the test
    # What is known of the movie, by option: poster, tags, title, year, language.
    movie: Mapping[str, Any]
    page: Path | None  # the page to write, if any
    command: str  # the command line, for the page
