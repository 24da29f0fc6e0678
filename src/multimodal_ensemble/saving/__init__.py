"""Files that are written completely or not at all, and read without trusting them.

Internal: users call `MultimodalClassifier.save` and `MultimodalClassifier.load`.
"""

from multimodal_ensemble.saving._files import (
    file_system_time,
    is_in_use,
    lock,
    make_token,
    replacing,
)
from multimodal_ensemble.saving._read_archive import ArrayReader, read_archive
from multimodal_ensemble.saving._safe_config import check_config, load_object
from multimodal_ensemble.saving._state_codec import pack_state, unpack_state
from multimodal_ensemble.saving._write_archive import write_archive

__all__ = [
    "ArrayReader",
    "check_config",
    "file_system_time",
    "is_in_use",
    "load_object",
    "lock",
    "make_token",
    "pack_state",
    "read_archive",
    "replacing",
    "unpack_state",
    "write_archive",
]
