"""A written archive."""

import pytest

from multimodal_ensemble.saving import write_archive
from tests.saving.archives import ARRAYS, DOCUMENT


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "saved.file"
    write_archive(path, DOCUMENT, ARRAYS)
    return path
