"""Other processes see files complete or not at all."""

import os

import pytest

from multimodal_ensemble.saving import replacing


@pytest.mark.parametrize("name", ["a.json", "é" * 100, "x" * 255])
def test_a_file_is_replaced_at_the_end_of_the_block(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"old")
    with replacing(path) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
        (part,) = set(tmp_path.iterdir()) - {path}
        # A file that a killed process leaves behind can be recognised by its name.
        assert part.name.startswith(f".{name[:18]}")
        assert part.suffix == ".tmp"
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_the_old_file_unchanged(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    path.write_bytes(b"old")

    def fail(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left"), replacing(path) as file:
        file.write(b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
