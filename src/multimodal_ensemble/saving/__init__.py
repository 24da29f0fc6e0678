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
from multimodal_ensemble.saving._keras_file import check_keras_file, check_weights_file
from multimodal_ensemble.saving._load_object import load_object, without_compilation
from multimodal_ensemble.saving._model_size import MAX_ABSENT_WEIGHTS, check_model_sizes
from multimodal_ensemble.saving._read_archive import ArrayReader, read_archive
from multimodal_ensemble.saving._safe_config import check_config
from multimodal_ensemble.saving._state_codec import pack_state, unpack_state
from multimodal_ensemble.saving._write_archive import write_archive

__all__ = [
    "MAX_ABSENT_WEIGHTS",
    "ArrayReader",
    "check_config",
    "check_keras_file",
    "check_model_sizes",
    "check_weights_file",
    "file_system_time",
    "is_in_use",
    "load_object",
    "lock",
    "make_token",
    "pack_state",
    "read_archive",
    "replacing",
    "unpack_state",
    "without_compilation",
    "write_archive",
]
