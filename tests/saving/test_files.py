"""Other processes see files complete or not at all."""

import os
import subprocess

import pytest

from multimodal_ensemble.saving import (
    _files,
    file_system_time,
    is_in_use,
    lock,
    make_token,
    replacing,
)


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


def test_a_failure_names_the_file_and_not_the_temporary_one(tmp_path):
    path = tmp_path / "absent" / "a.json"
    with pytest.raises(FileNotFoundError) as raised, replacing(path):
        pass
    assert "could not be written (No such file or directory)" in str(raised.value)
    assert str(raised.value).endswith(f": {str(path)!r}")


def leave_behind(path, process, monkeypatch):
    """Return the temporary file of a process that was killed while it wrote to a path."""
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: process)
        token = make_token()
    left = path.parent / f".{path.name}.{token}.tmp"
    left.write_bytes(b"unfinished")
    return left


def test_the_next_writer_removes_what_a_killed_writer_of_the_same_path_left(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    ended = subprocess.Popen(["true"])
    ended.wait()
    dead, alive, other = (
        leave_behind(path, ended.pid, monkeypatch),
        leave_behind(path, os.getpid(), monkeypatch),
        leave_behind(tmp_path / "b.json", ended.pid, monkeypatch),
    )
    foreign = tmp_path / ".a.json.notes.tmp"
    foreign.write_bytes(b"mine")
    with replacing(path) as file:
        file.write(b"new")
    assert set(tmp_path.iterdir()) == {path, alive, other, foreign}
    assert not dead.exists()


def test_a_file_that_a_process_holds_open_is_in_use_whatever_its_name_and_age(tmp_path):
    path = tmp_path / ".a.0.tmp"
    with path.open("wb") as file:
        lock(file)
        os.utime(path, (0, 0))
        now = file_system_time(tmp_path)
        assert is_in_use(path, "0" * 32, now) is True
    assert is_in_use(path, "0" * 32, now) is False
    os.utime(path)
    assert is_in_use(path, "0" * 32, now) is None
    # A time in the future, from a clock that is wrong, is no evidence.
    os.utime(path, (now + 10**7, now + 10**7))
    assert is_in_use(path, "0" * 32, now) is None


def test_another_container_of_the_machine_counts_as_another_machine(tmp_path, monkeypatch):
    # It does not see the processes of this one.
    path, token, now = tmp_path / "file", make_token(), file_system_time(tmp_path)
    path.touch()
    assert is_in_use(path, token, now)
    read = os.readlink

    def readlink(name):
        return "pid:[1]" if os.fspath(name) == "/proc/self/ns/pid" else read(name)

    monkeypatch.setattr(os, "readlink", readlink)
    _files._machine_digits.cache_clear()
    try:
        assert is_in_use(path, token, now) is None
    finally:
        monkeypatch.undo()
        _files._machine_digits.cache_clear()
