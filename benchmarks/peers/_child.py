"""Run one contestant in its own environment; the driver starts this file with ``python -P``.

It needs only what every environment has: pandas and NumPy. The names of the arguments are those of
`Task`; ``-P`` keeps this folder out of the path of imports.
"""

import dataclasses
import importlib.metadata
import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pandas as pd


@dataclasses.dataclass(frozen=True)
class Task:
    """What every contestant gets: rows, pretrained weights and settings, but no test labels."""

    train: pd.DataFrame  # poster, the path of an image, and tags, a list of strings
    labels: pd.DataFrame  # 0 or 1, the labels of the training rows
    test: pd.DataFrame  # the columns of train
    weights: Path  # of VGG16 without its top, as Keras writes them
    image_size: int  # pixels
    epochs: int
    seed: int
    folder: Path  # a folder that the contestant may write to, empty in its first run


def read_rows(path: Path) -> pd.DataFrame:
    """Read posters and tags."""
    rows = pd.read_csv(path, dtype=str, keep_default_na=False)
    return rows.assign(tags=[[tag for tag in tags.split("|") if tag] for tags in rows["tags"]])


def main() -> None:
    """Write the scores of the test rows, the versions of packages and the peak memory."""
    script, inputs, folder, out = (Path(argument) for argument in sys.argv[1:5])
    settings = json.loads((inputs / "settings.json").read_text())
    task = Task(
        train=read_rows(inputs / "train.csv"),
        labels=pd.read_csv(inputs / "labels.csv"),
        test=read_rows(inputs / "test.csv"),
        weights=Path(settings["weights"]),
        image_size=settings["image_size"],
        epochs=settings["epochs"],
        seed=settings["seed"],
        folder=folder,
    )
    # Behind everything else, so that no script hides a package.
    sys.path.append(str(script.parent))
    scores = np.asarray(runpy.run_path(str(script))["fit_predict"](task), dtype=float)
    np.save(out / "scores.npy", scores)
    versions = {name: importlib.metadata.version(name) for name in sys.argv[5:]}
    (out / "versions.json").write_text(json.dumps(versions))
    # getrusage is not used, because its value starts at that of the process that started this one.
    status = Path("/proc/self/status").read_text()
    (out / "peak_kib").write_text(status.partition("VmHWM:")[2].split()[0])


if __name__ == "__main__":
    main()
