"""What the tests of the examples share."""

import contextlib
import dataclasses
import functools
import os

import pytest

from examples.movielens_genres import experiment
from examples.movielens_genres.__main__ import main
from examples.movielens_genres.sample import write_sample
from examples.movielens_genres.study import RECIPES, _controls
from multimodal_ensemble import MultimodalClassifier
from tests.toys import use_shallow_network


@pytest.fixture(scope="package", autouse=True)
def _shallow_network():
    with pytest.MonkeyPatch.context() as patch:
        use_shallow_network(patch, "MobileNet", n_hidden=3000)
        yield


@contextlib.contextmanager
def shortening_trainings():
    """Train for a few epochs, because these tests do not need good scores."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        short = functools.partial(MultimodalClassifier, epochs=6)
        monkeypatch.setattr(experiment, "MultimodalClassifier", short)
        # One batch per epoch, so that Keras traces one graph per model.
        recipe = dataclasses.replace(RECIPES["recommended"], epochs=6, batch_size=512)
        monkeypatch.setitem(RECIPES, "recommended", recipe)
        monkeypatch.setattr(_controls, "INVERSE_PENALTIES", (0.001, 0.01))
        yield


@pytest.fixture(scope="package")
def sample_folder(tmp_path_factory):
    """Return a data folder of synthetic movies; tests must not change it."""
    folder = tmp_path_factory.mktemp("movies") / "data"
    write_sample(folder, seed=3, n_movies=240)
    return folder


@pytest.fixture(scope="package")
def run_arguments(sample_folder):
    """Return the arguments of a run with one small network."""
    store = str(sample_folder.parent / "store")
    return [
        "run", "--data", str(sample_folder), "--quiet", "--store", store,
        "--backbones", "MobileNet", "--weights", "MobileNet=random", "--image-size", "32",
    ]  # fmt: skip


@pytest.fixture(scope="package")
def sample_run(sample_folder, run_arguments):
    """Return the folder of a run with two seeds; tests must not change it."""
    out = sample_folder.parent / "out"
    # A relative path, as users write it.
    data = os.path.relpath(sample_folder)
    with shortening_trainings():
        assert main([*run_arguments, "--data", data, "--out", str(out), "--repeat", "2"]) == 0
    return out


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
