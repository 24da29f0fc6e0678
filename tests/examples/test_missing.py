"""The comparison of one model for all cases with one model per case."""

import dataclasses

import pytest

from examples.movielens_genres.__main__ import main
from examples.movielens_genres.sample import write_sample
from examples.movielens_genres.study import _missing


@pytest.mark.slow
def test_each_case_is_measured_with_both_models(tmp_path, monkeypatch, capsys):
    short = dataclasses.replace(_missing.RECOMMENDED, epochs=1)
    monkeypatch.setattr(_missing, "RECOMMENDED", short)
    write_sample(tmp_path / "data", seed=3, n_movies=240)
    arguments = ["missing", "--data", str(tmp_path / "data"), "--store", str(tmp_path / "store")]
    network = ["--backbone", "MobileNet", "--weights", "random", "--image-size", "32"]
    assert main([*arguments, *network, "--repeat", "2"]) == 0
    table = [line for line in capsys.readouterr().out.splitlines() if " ± " in line]
    assert [line.split("|")[1].strip() for line in table] == [
        case for case in _missing.CASES for _ in range(2)
    ]


def test_a_folder_that_does_not_exist_is_reported(tmp_path, capsys):
    assert main(["missing", "--data", str(tmp_path / "nowhere")]) == 2
    assert "does not exist" in capsys.readouterr().err


@pytest.fixture(scope="module")
def small_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("movies") / "data"
    write_sample(folder, seed=3, n_movies=100)
    return folder


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--backbone", "Nope", "--weights", "random"], "keras.applications has no network 'Nope'"),
        (["--weights", "gone.weights.h5"], "Here: --weights PATH or random."),
        (["--image-size", "0"], "--image-size must be at least 1"),
        (["--image-size", "5", "--weights", "random"], "Input size must be at least"),
        (["--repeat", "0"], "--repeat must be at least 1"),
        (["--seed", "-1"], "--seed must be at least 0"),
    ],
)
def test_a_wrong_option_is_reported_in_one_sentence_with_status_2(
    small_folder, options, message, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert main(["missing", "--data", str(small_folder), *options]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
