"""Saving: write files whole or not at all, and read them without trusting their content."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from multimodal_ensemble.saving._archive import ArrayReader, read_archive, write_archive
from multimodal_ensemble.saving._files import replacing
from multimodal_ensemble.saving._state_codec import Arrays, pack, unpack

if TYPE_CHECKING:
    from multimodal_ensemble.saving._safe_config import check_config, load_object

__all__ = [
    "ArrayReader",
    "Arrays",
    "check_config",
    "load_object",
    "pack",
    "read_archive",
    "replacing",
    "unpack",
    "write_archive",
]


def __getattr__(name: str) -> Any:
    # These two import Keras, which takes seconds that a caller of `replacing` does not need.
    if name not in ("check_config", "load_object"):
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module("multimodal_ensemble.saving._safe_config"), name)
