"""The models of a run as files, so that nothing needs training twice."""

import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from multimodal_ensemble import MultimodalClassifier, MultimodalEnsemble

from .._files import read_json, write_json
from ..data import COLUMNS_BY_OPTION, Movies

# In the folder of results.
MODELS_FOLDER = "models"
BACKGROUND_FILE, N_BACKGROUND = "background.json", 50
# The end of the name of a file by what it holds.
KINDS = {".network.mme": MultimodalClassifier, ".ensemble.mme": MultimodalEnsemble}


def save_model(
    estimator: MultimodalClassifier | MultimodalEnsemble, name: str, folder: Path
) -> None:
    """Write an estimator to a file with its name.

    The file does not hold the frozen networks, which a run has in a file each.
    """
    folder.mkdir(exist_ok=True)
    (ending,) = (ending for ending, kind in KINDS.items() if isinstance(estimator, kind))
    estimator.save(folder / f"{name}{ending}", include_backbones=False)


def list_saved_models(run: Path) -> dict[str, Path]:
    """Return the files of the models of a run by name."""
    folder = run / MODELS_FOLDER
    return {
        path.name.removesuffix(ending): path
        for ending in KINDS
        for path in sorted(folder.glob(f"*{ending}"))
    }


def load_model(path: Path) -> MultimodalClassifier | MultimodalEnsemble:
    """Read an estimator from a file that `save_model` wrote."""
    (kind,) = (kind for ending, kind in KINDS.items() if path.name.endswith(ending))
    return kind.load(path)


def save_background(movies: Movies, rows: Sequence[int], folder: Path) -> None:
    """Write a few training movies, which stand for what a movie lacks in explanations."""
    table = movies.data.movies.iloc[list(rows[:N_BACKGROUND])]
    columns = [name for names in COLUMNS_BY_OPTION.values() for name in names if name in table]
    posters = [str((movies.folder / file).absolute()) for file in table["poster_file"]]
    records = table[columns].assign(poster_file=posters).to_json(orient="records")
    folder.mkdir(exist_ok=True)
    write_json(folder / BACKGROUND_FILE, {"movies": json.loads(records)})


def read_background(run: Path) -> pd.DataFrame:
    """Return the movies that `save_background` wrote, or raise a DataError."""
    return pd.DataFrame(read_json(run / MODELS_FOLDER / BACKGROUND_FILE, "movies"))
