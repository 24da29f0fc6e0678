"""Maps of the images of rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import keras
import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._validation import FloatArray, check_at_least, check_choice
from multimodal_ensemble.encoders import Encoder, ImageEncoder, present_values
from multimodal_ensemble.exceptions import ModalityError
from multimodal_ensemble.explanation._explain_rows import parts_of
from multimodal_ensemble.explanation._grad_cam import GradCam
from multimodal_ensemble.explanation._image_map import ImageMap
from multimodal_ensemble.explanation._occlusion import occlusion_values
from multimodal_ensemble.fusion import feature_model
from multimodal_ensemble.generators import MultimodalDataset

METHODS = ("occlusion", "grad_cam")

_Images: TypeAlias = Mapping[str, NDArray[np.uint8]]
# From the number of a row and its encoded images to the values of the map.
_Explain: TypeAlias = Callable[[int, _Images], FloatArray]


def map_images(
    model: keras.Model,
    dataset: MultimodalDataset,
    *,
    label: Any,
    position: int,
    rows: Sequence[Any],
    column: str | None,
    method: str,
    n_regions: int,
) -> list[ImageMap]:
    """Return the maps of the images in a column, one for each row that has an image.

    Parameters
    ----------
    model : keras.Model
        Made by `fuse_encoders` or `fuse_late`.
    dataset : MultimodalDataset
        The rows, encoded by the fitted encoders of the model.
    label : object
        The label.
    position : int
        Its position among the scores.
    rows : sequence of length n_rows
        Names of the rows.
    column : str or None
        The column. None if there is only one with images.
    method : {"occlusion", "grad_cam"}
        How the maps are computed.
    n_regions : int
        Number of regions per side for ``"occlusion"``.

    Returns
    -------
    list of ImageMap
        The maps.

    Raises
    ------
    ModalityError
        If there is no such column of images.
    ValueError
        If `method` is unknown, or `n_regions` is less than 2 or more than an image has pixels.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble import ImageEncoder, MultimodalDataset, fuse_encoders
    >>> from multimodal_ensemble.explanation import map_images
    >>> poster = ImageEncoder("poster", backbone="MobileNet", weights=None, image_size=32)
    >>> image = np.zeros((32, 32, 3), dtype="uint8")
    >>> rows = MultimodalDataset({"poster": [image]}, [poster])
    >>> (image_map,) = map_images(
    ...     fuse_encoders([poster], n_labels=2), rows, label="War", position=1, rows=["a"],
    ...     column=None, method="occlusion", n_regions=2)
    >>> image_map.values.shape
    (2, 2)
    """
    check_choice(method, METHODS, name="method")
    check_at_least(n_regions, 2, name="n_regions")
    encoders = _encoders_of(dataset.encoders, column)
    values, present = present_values(encoders[0], encoders[0].select(dataset.raw))
    explain = (
        _occlusion_of(model, dataset, n_regions, position)
        if method == "occlusion"
        else _grad_cam_of(model, dataset, encoders[0], position)
    )
    maps = []
    for place, row in enumerate(np.flatnonzero(present).tolist()):
        value = values.iloc[place] if hasattr(values, "iloc") else values[place]
        images = {each.name: each.encode([value])[0] for each in encoders}
        shown = images[encoders[0].name]
        found = explain(row, images)
        maps.append(ImageMap(rows[row], label, encoders[0].columns[0], shown, found, method))
    return maps


def _occlusion_of(
    model: keras.Model, dataset: MultimodalDataset, n_regions: int, position: int
) -> _Explain:
    """Return a function that covers the encoded images of a row."""
    parts: Any = parts_of(model, None, 0)
    # Rows are read from the inputs that the data set has, which may be stored features.
    reader = parts_of(model, dataset, 0) if dataset.features else parts
    _, states = reader.read(dataset)

    def explain(row: int, images: _Images) -> FloatArray:
        for name, image in images.items():
            if min(image.shape[:2]) < n_regions:
                msg = (
                    f"n_regions must be at most the number of pixels per side. {name!r} has images "
                    f"of {image.shape[0]} x {image.shape[1]} pixels. Received {n_regions}."
                )
                raise ValueError(msg)
        return occlusion_values(parts, states, row, images, n_regions)[:, :, position]

    return explain


def _grad_cam_of(
    model: keras.Model, dataset: MultimodalDataset, encoder: Encoder, position: int
) -> _Explain:
    """Return a function that takes the gradients of the encoded image of a row."""
    frozen = encoder.frozen_part()
    if frozen is None:
        msg = f"The network of {encoder.name!r} is trained; use method='occlusion'."
        raise ModalityError(msg)
    behind = feature_model(model, list({*dataset.features, encoder.name}))
    grad_cam = GradCam(behind, frozen, encoder.name)

    def explain(row: int, images: _Images) -> FloatArray:
        inputs = dataset.encode_rows(np.array([row]))
        return grad_cam(inputs | {encoder.name: images[encoder.name][np.newaxis]}, position)

    return explain


def _encoders_of(encoders: Sequence[Encoder], column: str | None) -> list[ImageEncoder]:
    """Return the encoders that read a column of single images."""
    of_images = [each for each in encoders if isinstance(each, ImageEncoder) and each.items is None]
    columns = list(dict.fromkeys(each.columns[0] for each in of_images))
    if column is None and len(columns) == 1:
        (column,) = columns
    if column not in columns:
        msg = (
            f"column must be a column of single images, one of {columns}. Received {column!r}."
            if columns
            else "No encoder reads single images, so there is nothing to map."
        )
        raise ModalityError(msg)
    return [each for each in of_images if each.columns[0] == column]
