"""The two ways to train, each one definition; both serve all five models alike."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import keras


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How models are built and trained.

    Parameters
    ----------
    posters, tags : mapping of str to object
        Options of `ImageEncoder` and of `BagOfWordsEncoder`.
    fusion_dropout : float
        Dropout rate on the embeddings.
    optimizer : callable
        Makes a new optimizer.
    loss : str or keras.losses.Loss
        The loss.
    batch_size, epochs, evaluate_every, patience : int
        Of `MultimodalDataset` and `fit_model`.
    """

    posters: Mapping[str, Any]
    tags: Mapping[str, Any]
    fusion_dropout: float
    optimizer: Callable[[], keras.optimizers.Optimizer]
    loss: Any
    batch_size: int
    epochs: int
    evaluate_every: int
    patience: int | None


RECOMMENDED = Recipe(
    posters={"preprocessing": "imagenet", "scaling": "log", "dropout": 0.5, "input_dropout": 0.5},
    tags={"activation": "relu", "units": 256, "dropout": 0.5, "input_dropout": 0.2},
    fusion_dropout=0,
    optimizer=lambda: keras.optimizers.AdamW(1e-3, weight_decay=1e-2),
    loss="binary_crossentropy",
    batch_size=64,
    epochs=40,
    evaluate_every=22,
    patience=10,
)

# The study's own: pixels 0..1, unscaled features, RMSprop, categorical cross-entropy on sigmoids.
REFERENCE = Recipe(
    posters={"preprocessing": "unit", "scaling": None, "units": 256, "activation": "relu"},
    tags={"activation": "sigmoid"},
    fusion_dropout=0,
    optimizer=lambda: keras.optimizers.RMSprop(),
    loss="categorical_crossentropy",
    batch_size=20,
    epochs=30,
    evaluate_every=150,
    patience=None,
)

RECIPES = {"recommended": RECOMMENDED, "reference": REFERENCE}
