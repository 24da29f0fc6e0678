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
    posters, words, relevances, years : mapping of str to object
        Options of `ImageEncoder`, of `BagOfWordsEncoder` for tags, titles and languages, and of
        `DenseEncoder` for the relevances of the tag genome and for years.
    modality_dropout : float
        Of `fuse_encoders`.
    optimizer : callable
        Makes a new optimizer.
    loss : str or keras.losses.Loss
        The loss.
    batch_size, epochs, evaluate_every, patience : int
        Of `MultimodalDataset` and `fit_model`.
    """

    posters: Mapping[str, Any]
    words: Mapping[str, Any]
    relevances: Mapping[str, Any]
    years: Mapping[str, Any]
    modality_dropout: float
    optimizer: Callable[[], keras.optimizers.Optimizer]
    loss: Any
    batch_size: int
    epochs: int
    evaluate_every: int
    patience: int | None


def categorical_crossentropy_of_sigmoids(y_true: Any, y_pred: Any) -> Any:
    """Return the categorical cross-entropy of sigmoid outputs as Keras 2 computed it.

    Keras 3 on TensorFlow remembers the logits behind a sigmoid and takes their softmax instead,
    with a gradient that is right for rows of one label only: each further label of a row pushes
    all logits up, without end, until every score is 1 and says nothing.
    """
    share = y_pred / keras.ops.sum(y_pred, axis=-1, keepdims=True)
    epsilon = keras.config.epsilon()
    log_share = keras.ops.log(keras.ops.clip(share, epsilon, 1 - epsilon))
    return -keras.ops.sum(y_true * log_share, axis=-1)


def poster_augmentation() -> list[keras.layers.Layer]:
    """Return layers that change a poster as little as another print of it might differ."""
    return [
        keras.layers.RandomFlip("horizontal"),
        keras.layers.RandomTranslation(0.05, 0.05, fill_mode="nearest"),
        keras.layers.RandomZoom((-0.15, 0.05), fill_mode="nearest"),
        keras.layers.RandomContrast(0.2),
    ]


# What did best on validation movies; the example's README tells what was tried.
RECOMMENDED = Recipe(
    posters={
        "preprocessing": "imagenet",
        "scaling": "log",
        "input_dropout": 0.8,
        "units": 128,
        "activation": "relu",
        "dropout": 0.5,
    },
    words={"input_dropout": 0.5, "units": 128, "activation": "relu", "dropout": 0.5},
    relevances={"input_dropout": 0.5, "units": 128, "activation": "relu", "dropout": 0.5},
    years={"units": 16, "activation": "relu"},
    modality_dropout=0.3,
    optimizer=lambda: keras.optimizers.AdamW(2e-3, weight_decay=0.01),
    loss="binary_crossentropy",
    batch_size=128,
    epochs=100,
    evaluate_every=10,
    patience=12,
)

# The study's own, but for two points: the loss is written out, because Keras 3 computes another
# one, and training stops when five scorings in a row have not been better.
REFERENCE = Recipe(
    posters={"preprocessing": "unit", "scaling": None, "units": 256, "activation": "relu"},
    words={"units": None, "activation": "sigmoid"},
    # Not in the study, in its manner.
    relevances={"units": 256, "activation": "sigmoid"},
    years={"units": 16, "activation": "sigmoid"},
    modality_dropout=0,
    optimizer=keras.optimizers.RMSprop,
    loss=categorical_crossentropy_of_sigmoids,
    batch_size=20,
    epochs=32,
    evaluate_every=150,
    patience=5,
)

RECIPES = {"recommended": RECOMMENDED, "reference": REFERENCE}
