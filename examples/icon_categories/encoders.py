"""The encoders of the three modalities."""

from collections.abc import Mapping
from pathlib import Path

from multimodal_ensemble import (
    BagOfWordsEncoder,
    Encoder,
    ImageEncoder,
    TagEmbeddingEncoder,
    TextEncoder,
)
from multimodal_ensemble.exceptions import WeightsUnavailableError

from ..command_line import ExampleError

PICTURE, TERMS, NAME = "picture", "terms", "name"
ALL, WITHOUT_TEXT = "all", "all but the text encoder"
# The models that see pictures.
WITH_PICTURES = (PICTURE, ALL, WITHOUT_TEXT)
# A network with random weights must be the same, and so have the same features, in every split.
RANDOM_WEIGHTS_SEED = 1


def make_picture_encoder(
    backbone: str, weights: str | None, image_size: int | None
) -> ImageEncoder:
    """Return the encoder of pictures.

    Parameters
    ----------
    backbone : str
        Name of a network.
    weights : str or None
        A path, ``"imagenet"`` or ``"random"``. None is ``"imagenet"`` if these weights are on this
        machine or can be downloaded, and ``"random"`` otherwise, which is printed.
    image_size : int or None
        Side of the pictures in pixels. None is the size that the network was trained with.

    Raises
    ------
    ExampleError
        If there is no such network, or the image size is too small for it.
    WeightsUnavailableError
        If the weights cannot be read or downloaded.
    """
    tried = "imagenet" if weights is None else weights
    try:
        encoder = ImageEncoder(
            PICTURE,
            backbone=backbone,
            weights=None if tried == "random" else tried,
            image_size=image_size,
            seed=RANDOM_WEIGHTS_SEED,
        )
        encoder.get_backbone()
    except WeightsUnavailableError:
        if weights is not None:
            raise
        print(f"The ImageNet weights of {backbone} cannot be downloaded; random weights are used.")
        return make_picture_encoder(backbone, "random", image_size)
    except ValueError as error:
        raise ExampleError(error) from error
    return encoder


def list_models(picture: ImageEncoder, text_backbone: Path | None) -> dict[str, list[Encoder]]:
    """Return the unfitted encoders of each model: of each modality alone, then of all together."""
    models: dict[str, list[Encoder]] = {
        PICTURE: [picture],
        TERMS: [BagOfWordsEncoder(TERMS), TagEmbeddingEncoder("term_embedding", column=TERMS)],
        NAME: [BagOfWordsEncoder(NAME, tokenizer="words")],
    }
    if text_backbone is None:
        return {**models, ALL: _join(models)}
    without_text = _join(models)
    for column in (TERMS, NAME):
        text = TextEncoder(f"{column}_text", column=column, backbone=text_backbone)
        models[column].append(text)
    return {**models, ALL: _join(models), WITHOUT_TEXT: without_text}


def _join(models: Mapping[str, list[Encoder]]) -> list[Encoder]:
    return [encoder for encoders in models.values() for encoder in encoders]
