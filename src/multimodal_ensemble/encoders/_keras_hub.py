"""Networks of KerasHub: by the name of a preset, from a folder, or as objects."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import keras
from numpy.typing import NDArray

from multimodal_ensemble._random import seeded_layers
from multimodal_ensemble.exceptions import WeightsUnavailableError
from multimodal_ensemble.saving import MAX_ABSENT_WEIGHTS, check_config, check_model_sizes

# What `keras_hub.models.Backbone.from_preset` takes besides presets and folders.
_HANDLES = ("hf://", "kaggle://", "modelscope://", "gs://")
_CONFIG = "config.json"
_MAX_REASON = 300


def import_of_extra(module: str, *, need: str) -> Any:
    """Return a module of the extra ``text``, or raise an ImportError that says how to install it.

    `need` says what needs it.
    """
    try:
        return import_module(module)
    except ImportError as error:
        msg = f"{need}: pip install keras-hub tokenizers safetensors. Importing it failed: {error}"
        raise ImportError(msg) from error


def import_keras_hub() -> Any:
    """Return the module `keras_hub`."""
    need = "Text encoders and networks of KerasHub need the package keras-hub"
    return import_of_extra("keras_hub", need=need)


def is_hub_backbone(value: Any) -> bool:
    """Return whether a value is a backbone of KerasHub; this does not import KerasHub."""
    return isinstance(value, keras.Model) and any(
        kind.__module__.startswith("keras_hub.") for kind in type(value).__mro__
    )


def is_preset(value: str | os.PathLike[str]) -> bool:
    """Return whether KerasHub knows a preset of this name, or this is a folder or a handle."""
    name = os.fspath(value)
    # An empty path is the working directory.
    if name.startswith(_HANDLES) or (name and Path(name).is_dir()):
        return True
    return name in import_keras_hub().models.Backbone.presets


def load_hub_backbone(
    source: str | os.PathLike[str],
    *,
    modality: str,
    load_weights: bool = True,
    seed: int | None = None,
    **options: Any,
) -> keras.Model:
    """Return a new KerasHub backbone with its pretrained weights.

    Parameters
    ----------
    source : str or path
        The name of a preset, a handle such as ``"hf://user/model"``, or a folder in the layout of
        KerasHub or of Hugging Face.
    modality : str
        Name of the encoder, for messages.
    load_weights : bool, default=True
        False for random weights.
    seed : int, optional
        Makes random weights repeatable.
    **options
        Passed to the constructor of the backbone, such as ``image_shape``.

    Raises
    ------
    ImportError
        If KerasHub is not installed.
    WeightsUnavailableError
        If there is no such folder or preset, if it cannot be downloaded, or if KerasHub cannot
        read it.
    """
    hub = import_keras_hub()
    name = os.fspath(source)
    if not is_preset(name):
        msg = (
            f"The backbone {name!r} of {modality!r} is neither a folder nor a preset of KerasHub "
            f"{hub.__version__}. Pass the path of a folder with {_CONFIG} and weights, a name in "
            "keras_hub.models.Backbone.presets, a handle such as 'hf://user/model', or a backbone "
            "object of KerasHub."
        )
        raise WeightsUnavailableError(msg)
    try:
        # Initial weights that are replaced need not change the caller's generator.
        with seeded_layers(0 if load_weights else seed):
            backbone: keras.Model = hub.models.Backbone.from_preset(
                name, load_weights=load_weights, **options
            )
    except Exception as error:
        # KerasHub and the libraries for downloads raise errors of many types.
        reason = str(error)[:_MAX_REASON] or type(error).__name__
        msg = (
            f"KerasHub {hub.__version__} cannot load the backbone {name!r} of {modality!r}: "
            f"{reason} {_advise(name)}"
        )
        raise WeightsUnavailableError(msg) from error
    return backbone


def check_network(config: Any, weights: Sequence[NDArray[Any]] | None, *, where: str) -> None:
    """Refuse a network in a saved file that is not harmless, or has more weights than the file.

    Without the weights, which are then read from elsewhere, the limit is that of large networks.
    """
    import_keras_hub()
    check_config(config, where=where)
    n_known = MAX_ABSENT_WEIGHTS if weights is None else sum(each.size for each in weights)
    check_model_sizes(config, n_available=n_known, where=where)


def read_json_file(source: str | os.PathLike[str], name: str) -> dict[str, Any] | None:
    """Return the content of a JSON file in a folder or Hugging Face repository, None without it.

    A WeightsUnavailableError says that it holds anything but a JSON object.
    """
    path = find_file(source, name)
    return None if path is None else read_json(path)


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file, or raise a WeightsUnavailableError."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        msg = f"{str(path)!r} is damaged, and must be a JSON file: {error}"
        raise WeightsUnavailableError(msg) from error
    if not isinstance(found, dict):
        msg = f"{str(path)!r} is damaged: it must hold a JSON object, not a {type(found).__name__}."
        raise WeightsUnavailableError(msg)
    return found


def find_file(source: str | os.PathLike[str], name: str) -> Path | None:
    """Return the path of a file in a folder or in a Hugging Face repository, None without it."""
    text = os.fspath(source)
    if text.startswith("hf://"):
        try:
            download = import_module("huggingface_hub").hf_hub_download
            return Path(download(repo_id=text.removeprefix("hf://"), filename=name))
        except (ImportError, OSError, ValueError):
            return None
    path = Path(text) / name
    return path if path.is_file() else None


def _advise(name: str) -> str:
    model = (read_json_file(name, _CONFIG) or {}).get("model_type") if Path(name).is_dir() else None
    if model is not None:
        return (
            f"The folder holds a Hugging Face model of the type {model!r}. KerasHub reads, among "
            "others, albert, bert, distilbert, roberta and xlm-roberta; weights must be in "
            "model.safetensors, which needs the package safetensors."
        )
    return (
        "Without a network, pass the path of a folder in the layout of KerasHub or of Hugging Face."
    )
