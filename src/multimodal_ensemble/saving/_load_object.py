"""Create Keras objects from configurations that were checked."""

from __future__ import annotations

from typing import Any

from multimodal_ensemble.exceptions import ArtefactError
from multimodal_ensemble.saving._safe_config import check_config

_MAX_REASON_LENGTH = 500


def without_compilation(config: Any) -> Any:
    """Return a copy of a checked configuration without what its models were compiled with."""
    if isinstance(config, dict):
        return {
            key: without_compilation(value)
            for key, value in config.items()
            if key != "compile_config"
        }
    return [without_compilation(x) for x in config] if isinstance(config, list | tuple) else config


def load_object(config: Any, *, where: str) -> Any:
    """Check a serialised Keras object as `check_config` does, then create it.

    Models are not compiled.

    Raises
    ------
    ArtefactError
        If the configuration names anything that is not harmless, or Keras cannot use it.
    """
    import keras

    check_config(config, where=where)
    try:
        # Keras modifies its argument, which is a copy.
        return keras.saving.deserialize_keras_object(without_compilation(config), safe_mode=True)
    except Exception as error:
        raise cannot_rebuild(where, error) from error


def cannot_rebuild(where: str, error: Exception) -> ArtefactError:
    """Return an error that says why Keras cannot use a configuration."""
    import keras

    reason = f"{type(error).__name__}: {str(error)[:_MAX_REASON_LENGTH]}"
    return ArtefactError(
        f"{where} cannot be rebuilt by Keras {keras.__version__} ({reason}). It is damaged, or "
        "was saved with a version of Keras that writes it differently: load it with that version."
    )
