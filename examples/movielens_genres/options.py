"""The options of the commands that train, as the command line hands them on."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from .data import Source


@dataclasses.dataclass(frozen=True)
class RunOptions:
    """Options of the command ``run``.

    Parameters
    ----------
    source : Source
        The movies.
    out : Path
        The folder for results.
    store : Path
        The folder of the feature store.
    backbones : mapping of str to str or None
        The weights of each network: a path or "imagenet", None for random ones.
    image_size : int or None
        The side of the posters in pixels. None: the size that the network was trained with.
    recipe : {"recommended", "reference"}
        How the models are built and trained.
    max_tags : int
        The size of the tag vocabulary.
    views : int
        The number of augmented views of each training poster; 0 for no augmentation.
    seeds : range
        The seeds; each draws a split and initial weights.
    mixed_precision : bool
        Whether to compute in float16.
    quiet : bool
        Whether to print nothing during training.
    command : str
        The command line, for the report.
    """

    source: Source
    out: Path
    store: Path
    backbones: Mapping[str, str | None]
    image_size: int | None
    recipe: str
    max_tags: int
    views: int
    seeds: range
    mixed_precision: bool
    quiet: bool
    command: str


@dataclasses.dataclass(frozen=True)
class MissingOptions:
    """Options of the command ``missing``, with the same meaning as in `RunOptions`."""

    source: Source
    store: Path
    backbone: str
    weights: str | None
    image_size: int | None
    seeds: range
