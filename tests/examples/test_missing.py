"""The comparison of one model for all cases with one model per case."""

import dataclasses

import pytest

from examples.movielens_genres.__main__ import main
from examples.movielens_genres.study import _missing


@pytest.mark.slow
def test_each_case_is_measured_with_both_models(sample_folder, tmp_path, monkeypatch, capsys):
    short = dataclasses.replace(_missing.RECOMMENDED, epochs=1, batch_size=512)
    monkeypatch.setattr(_missing, "RECOMMENDED", short)
    arguments = ["missing", "--data", str(sample_folder), "--store", str(tmp_path / "store")]
    network = ["--backbone", "MobileNet", "--weights", "random", "--image-size", "32"]
    assert main([*arguments, *network, "--repeat", "2"]) == 0
    table = [line for line in capsys.readouterr().out.splitlines() if " ± " in line]
    assert [line.split("|")[1].strip() for line in table] == [
        case for case in _missing.CASES for _ in range(2)
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--data", "nowhere"], "does not exist"),
        (["--backbone", "Nope", "--weights", "random"], "keras.applications has no network 'Nope'"),
        (["--weights", "gone.weights.h5"], "Here: --weights PATH or random."),
        (["--image-size", "0"], "--image-size must be at least 1"),
        (["--image-size", "5", "--weights", "random"], "Input size must be at least"),
        (["--repeat", "0"], "--repeat must be at least 1"),
        (["--seed", "-1"], "--seed must be at least 0"),
    ],
)
def test_a_wrong_option_is_reported_in_one_sentence(sample_folder, options, message, check_refused):
    check_refused(["missing", "--data", sample_folder, *options], message)
