"""Which regions of an image move a score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._figures import AGAINST, FOR, new_figure, shorten
from multimodal_ensemble._validation import FloatArray
from multimodal_ensemble.explanation._occlusion import region_edges

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NAME_LENGTH = 40


@dataclass(frozen=True, eq=False, repr=False)
class ImageMap:
    """How much each region of an image moves the score of a label.

    `MultimodalEnsemble.explain_image` and `MultimodalClassifier.explain_image` return it.

    Parameters
    ----------
    row : object
        The row's name in the index of a DataFrame, or its number.
    label : object
        The label.
    column : str
        The column of the images.
    image : ndarray of shape (height, width, 3), uint8
        The image as the network sees it.
    values : ndarray of shape (n_rows, n_columns)
        One value per region, from the upper left. With ``"occlusion"``, the fall in log-odds if the
        region is covered: positive regions speak for the label, negative ones against it. With
        ``"grad_cam"``, a weight of at least 0 without a unit, comparable within the image.
    method : {"occlusion", "grad_cam"}
        How the values were computed.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.explanation import ImageMap
    >>> values = np.array([[0.1, 2.0], [0.0, -0.3]])
    >>> image = np.zeros((8, 8, 3), dtype="uint8")
    >>> image_map = ImageMap(0, "Comedy", "poster", image, values, "occlusion")
    >>> image_map.largest_region()
    (slice(0, 4, None), slice(4, 8, None))
    """

    row: Any
    label: Any
    column: str
    image: NDArray[np.uint8]
    values: FloatArray
    method: str

    def largest_region(self) -> tuple[slice, slice]:
        """Return the pixels of the region that speaks most for the label.

        Returns
        -------
        tuple of slice
            Rows and columns of `image`.
        """
        row, column = np.unravel_index(np.argmax(self.values), self.values.shape)
        height, width = self.image.shape[:2]
        rows = region_edges(height, self.values.shape[0])
        columns = region_edges(width, self.values.shape[1])
        return slice(*rows[row : row + 2]), slice(*columns[column : column + 2])

    def plot(self) -> Figure:
        """Draw the image, and beside it the map over a grey copy of it.

        Returns
        -------
        matplotlib.figure.Figure
            Blue regions speak for the label, orange ones against it, as in `Explanation.plot`; the
            scale is beside the map. The region that speaks most for the label has a frame, if any
            speaks for it.

        Raises
        ------
        ImportError
            If Matplotlib is not installed.
        """
        figure = new_figure(7.2, 3.6)
        from matplotlib.colors import LinearSegmentedColormap

        axes = figure.subplots(1, 2)
        height, width = self.image.shape[:2]
        axes[0].imshow(self.image)
        # A pale copy, on which colours are seen even where the image is black.
        axes[1].imshow(self.image.mean(axis=2), cmap="gray", vmin=-255, vmax=255)
        limit = float(np.abs(self.values).max()) or 1.0
        shown = axes[1].imshow(
            self.values,
            cmap=LinearSegmentedColormap.from_list("support", [AGAINST, "white", FOR]),
            vmin=-limit,
            vmax=limit,
            alpha=0.6,
            extent=(-0.5, width - 0.5, height - 0.5, -0.5),
            interpolation="nearest" if self.method == "occlusion" else "bilinear",
        )
        if self.values.max() > 0:
            from matplotlib.patches import Rectangle

            rows, columns = self.largest_region()
            size = columns.stop - columns.start, rows.stop - rows.start
            corner = columns.start - 0.5, rows.start - 0.5
            axes[1].add_patch(Rectangle(corner, *size, fill=False, edgecolor="black", linewidth=2))
        unit = "fall in log-odds if covered" if self.method == "occlusion" else "Grad-CAM weight"
        figure.colorbar(shown, ax=axes[1], label=f"{unit}\nabove 0: for the label")
        for axis in axes:
            axis.set_axis_off()
        figure.suptitle(
            f"{shorten(str(self.label), _NAME_LENGTH)}, row {shorten(str(self.row), _NAME_LENGTH)}"
        )
        return figure

    def __repr__(self) -> str:
        """Return a short description."""
        return f"{type(self).__name__}({self.label!r}, row {self.row!r}, {self.method})"
