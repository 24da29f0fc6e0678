"""The models of a run as files, so that nothing needs training twice."""

from pathlib import Path

from multimodal_ensemble import MultimodalClassifier, MultimodalEnsemble

from .._errors import DataError

# In the folder of results.
MODELS_FOLDER = "models"
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
    """Return the files of the models of a run by name.

    Raises
    ------
    DataError
        If the run has no models.
    """
    folder = run / MODELS_FOLDER
    files = {
        path.name.removesuffix(ending): path
        for ending in KINDS
        for path in sorted(folder.glob(f"*{ending}"))
    }
    if not files:
        msg = f"{str(run)!r} has no saved models; name a folder that the command run wrote."
        raise DataError(msg)
    return files


def load_model(path: Path) -> MultimodalClassifier | MultimodalEnsemble:
    """Read an estimator from a file that `save_model` wrote."""
    (kind,) = (kind for ending, kind in KINDS.items() if path.name.endswith(ending))
    return kind.load(path)
