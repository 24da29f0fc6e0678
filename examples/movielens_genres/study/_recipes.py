"""The recipes: how all models are built and trained, independently of the library's defaults."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import keras

from multimodal_ensemble.encoders import Augmentation, DenseHead


@dataclasses.dataclass(frozen=True)
class EncoderOptions:
    """Options of the encoders; those that are not given keep the library's defaults."""

    # Options of `ImageEncoder`; of `TextEncoder`; of `BagOfWordsEncoder` for tags, titles and
    # languages; of `DenseEncoder` for the tag genome; of `DenseEncoder` for years.
    posters: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    texts: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    words: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    relevances: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    years: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How models are built and trained."""

    encoders: EncoderOptions
    # Options of `MultimodalClassifier`.
    dropout: float
    modality_dropout: float
    optimizer: Callable[[], keras.optimizers.Optimizer]  # returns a new optimizer
    loss: Any
    batch_size: int
    epochs: int
    evaluate_every: int
    patience: int

    def classifier_options(self) -> dict[str, Any]:
        """Return the options of `MultimodalClassifier`, with a new optimizer."""
        fields = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name != "encoders"
        }
        return fields | {"optimizer": self.optimizer()}


@keras.saving.register_keras_serializable(package="movielens_genres")
def sigmoid_categorical_crossentropy(y_true: Any, y_pred: Any) -> Any:
    """Return the categorical cross-entropy of sigmoid outputs as Keras 2 computed it.

    Keras 3 on TensorFlow keeps the logits behind a sigmoid and applies a softmax to them. The
    gradient of that is right only for rows with one label. Each further label raises all logits
    without limit, until every score is 1.
    """
    share = y_pred / keras.ops.sum(y_pred, axis=-1, keepdims=True)
    epsilon = keras.config.epsilon()
    log_share = keras.ops.log(keras.ops.clip(share, epsilon, 1 - epsilon))
    return -keras.ops.sum(y_true * log_share, axis=-1)


def _head(
    units: int | None,
    activation: str,
    *,
    dropout: float = 0,
    input_dropout: float = 0,
    scaling: str | None = None,
) -> DenseHead:
    return DenseHead(
        units,
        activation=activation,
        dropout=dropout,
        input_dropout=input_dropout,
        scaling=scaling,
    )


# The bags of the study: the 400 most frequent tags, each 0 or 1.
_STUDY_BAGS = {"max_tokens": 400, "words": False, "binary": True, "tfidf": False}

# The best recipe on validation movies; the README of the example lists what was tried.
RECOMMENDED = Recipe(
    encoders=EncoderOptions(
        posters={
            "pooling": "avg",
            "preprocessing": "imagenet",
            "trainable_layers": 0,
            "head": _head(128, "relu", dropout=0.5, input_dropout=0.8, scaling="log"),
        },
        texts={"head": _head(128, "relu", dropout=0.5, input_dropout=0.5, scaling="standard")},
        words={
            **_STUDY_BAGS,
            "head": _head(128, "relu", dropout=0.5, input_dropout=0.5),
        },
        relevances={
            "scaling": "standard",
            "head": _head(128, "relu", dropout=0.5, input_dropout=0.5),
        },
        years={"scaling": "standard", "head": _head(16, "relu")},
    ),
    dropout=0,
    modality_dropout=0.3,
    optimizer=lambda: keras.optimizers.AdamW(2e-3, weight_decay=0.01),
    loss="binary_crossentropy",
    batch_size=128,
    epochs=100,
    evaluate_every=10,
    patience=12,
)

# The study's own recipe, with two differences: the loss is written out because Keras 3 computes
# another one, and training stops after five evaluations without improvement.
REFERENCE = Recipe(
    encoders=EncoderOptions(
        posters={
            "pooling": "avg",
            "preprocessing": "unit",
            "trainable_layers": 0,
            "head": _head(256, "relu"),
        },
        # The study's hidden layer has half as many units as there are tags.
        words={**_STUDY_BAGS, "head": _head(None, "sigmoid")},
        # The study had neither of these; they follow its style.
        relevances={"scaling": "standard", "head": _head(256, "sigmoid")},
        years={"scaling": "standard", "head": _head(16, "sigmoid")},
    ),
    dropout=0,
    modality_dropout=0,
    optimizer=lambda: keras.optimizers.RMSprop(1e-3, rho=0.9),
    loss=sigmoid_categorical_crossentropy,
    batch_size=20,
    epochs=32,
    evaluate_every=150,
    patience=5,
)

RECIPES = {"recommended": RECOMMENDED, "reference": REFERENCE}
LOSSES = {"binary": "binary_crossentropy", "categorical": sigmoid_categorical_crossentropy}


def choose_recipe(name: str, loss: str | None, preprocessing: str | None) -> Recipe:
    """Return a recipe, with another loss or another preprocessing of posters where one is given."""
    recipe = RECIPES[name]
    if loss is not None:
        recipe = dataclasses.replace(recipe, loss=LOSSES[loss])
    if preprocessing is not None:
        posters = {**recipe.encoders.posters, "preprocessing": preprocessing}
        encoders = dataclasses.replace(recipe.encoders, posters=posters)
        recipe = dataclasses.replace(recipe, encoders=encoders)
    return recipe


def poster_augmentation(views: int) -> Augmentation | None:
    """Return an augmentation that changes a poster about as much as another print of it differs."""
    if not views:
        return None
    layers = [
        keras.layers.RandomFlip("horizontal"),
        keras.layers.RandomTranslation(0.05, 0.05, fill_mode="nearest"),
        keras.layers.RandomZoom((-0.15, 0.05), fill_mode="nearest"),
        keras.layers.RandomContrast(0.2),
    ]
    return Augmentation(layers, views=views, seed=1)
