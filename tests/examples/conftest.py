"""What the tests of the examples share."""

import pytest

from examples.movielens_genres.__main__ import main
from examples.movielens_genres.sample import write_sample


@pytest.fixture(scope="session")
def sample_folder(tmp_path_factory):
    """Return a data folder of synthetic movies; tests must not change it."""
    folder = tmp_path_factory.mktemp("movies") / "data"
    write_sample(folder, seed=3, n_movies=240)
    return folder


@pytest.fixture
def check_refused(tmp_path, capsys, monkeypatch):
    """Return a function that checks that a command reports one sentence and changes nothing."""
    monkeypatch.chdir(tmp_path)
    own_file = tmp_path / "mine.txt"
    own_file.write_text("do not touch", encoding="utf-8")

    def check(arguments, message, main=main):
        assert main([str(argument) for argument in arguments]) == 2
        error = capsys.readouterr().err
        assert error.startswith("error: ")
        assert message in error
        assert error.count("\n") == 1
        assert own_file.read_text(encoding="utf-8") == "do not touch"
        # The corrected command can use the same output folder.
        assert not list((tmp_path / "out").glob("*"))

    return check
