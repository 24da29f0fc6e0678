"""Maps of the images of rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from multimodal_ensemble._validation import check_at_least, check_choice
from multimodal_ensemble.encoders import Encoder, ImageEncoder, present_values
from multimodal_ensemble.exceptions import ModalityError
from multimodal_ensemble.explanation._explain_rows import parts_of
from multimodal_ensemble.explanation._grad_cam import grad_cam
from multimodal_ensemble.explanation._image_map import ImageMap
from multimodal_ensemble.explanation._occlusion import occlusion_values
from multimodal_ensemble.fusion import feature_model
from multimodal_ensemble.generators import MultimodalDataset

METHODS = ("occlusion", "grad_cam")


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
        If `method` is unknown or `n_regions` is less than 2.

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
    states = parts_of(model, dataset, 0).read(dataset) if method == "occlusion" else None
    parts = parts_of(model, None, 0) if method == "occlusion" else None
    maps = []
    for place, row in enumerate(np.flatnonzero(present).tolist()):
        value = values.iloc[place] if hasattr(values, "iloc") else values[place]
        images = {each.name: each.encode([value])[0] for each in encoders}
        shown = images[encoders[0].name]
        if method == "occlusion":
            found = occlusion_values(parts, states, row, images, n_regions)[:, :, position]
        else:
            found = _grad_cam_of(model, dataset, encoders[0], row, shown, position)
        maps.append(ImageMap(rows[row], label, encoders[0].columns[0], shown, found, method))
    return maps


def _grad_cam_of(
    model: keras.Model,
    dataset: MultimodalDataset,
    encoder: Encoder,
    row: int,
    image: Any,
    position: int,
) -> Any:
    frozen = encoder.frozen_part()
    if frozen is None:
        msg = f"The network of {encoder.name!r} is trained; use method='occlusion'."
        raise ModalityError(msg)
    behind = feature_model(model, list({*dataset.features, encoder.name}))
    inputs = dataset.encode_rows(np.array([row])) | {encoder.name: image[np.newaxis]}
    return grad_cam(behind, frozen, encoder.name, inputs, position)


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
