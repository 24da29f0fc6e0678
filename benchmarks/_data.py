"""Generated tags and labels, with generated posters or posters from a folder."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

N_LABELS = 8
N_TAGS = 400


@dataclass(frozen=True)
class Movies:
    """A table with the columns ``poster`` (paths) and ``tags``, and a label matrix."""

    table: pd.DataFrame
    labels: np.ndarray

    def head(self, n_rows: int) -> "Movies":
        return Movies(self.table.iloc[:n_rows], self.labels[:n_rows])


def make_movies(n_rows: int, folder: Path, posters: Path | None = None) -> Movies:
    """Return movies with posters from a folder, or write generated posters."""
    if posters is None:
        paths = write_posters(n_rows, folder)
    else:
        paths = sorted(posters.rglob("*.jpg"))[:n_rows]
        if len(paths) < n_rows:
            msg = f"{posters} contains {len(paths)} posters (*.jpg), but {n_rows} are needed."
            raise SystemExit(msg)
    rng = np.random.default_rng(0)
    vocabulary = np.array([f"tag{number}" for number in range(N_TAGS)])
    tags = [vocabulary[rng.random(N_TAGS) < 0.02].tolist() for _ in range(n_rows)]
    table = pd.DataFrame({"poster": [str(path) for path in paths], "tags": tags})
    return Movies(table, (rng.random((n_rows, N_LABELS)) < 0.2).astype(int))


def write_posters(n_posters: int, folder: Path, *, width: int | None = None) -> list[Path]:
    """Write JPEG posters of a realistic size, 200x300 to 300x450 pixels, or of a given width."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(1)
    paths = []
    for number in range(n_posters):
        wide = width or int(rng.integers(200, 301))
        # Large soft shapes with some grain compress about as well as real posters.
        shapes = rng.integers(0, 256, (6, 4, 3)).astype(np.uint8)
        pixels = np.asarray(Image.fromarray(shapes).resize((wide, wide * 3 // 2), Image.BICUBIC))
        grain = rng.integers(-12, 13, pixels.shape)
        image = Image.fromarray(np.clip(pixels + grain, 0, 255).astype(np.uint8))
        paths.append(folder / f"{number}.jpg")
        image.save(paths[-1], quality=85)
    return paths
