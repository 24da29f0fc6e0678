"""Saving: files that are written whole or not at all, and read without trust in their content."""

from multimodal_ensemble.saving._archive import ArrayReader, read_archive, write_archive
from multimodal_ensemble.saving._files import replacing
from multimodal_ensemble.saving._safe_config import check_config, load_object
from multimodal_ensemble.saving._state_codec import Arrays, pack, unpack

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
