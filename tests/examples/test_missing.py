"""The comparison of one model for all cases with one made for each."""

import dataclasses

import pytest

from examples.movielens_genres.__main__ import main
from examples.movielens_genres.experiment import _missing
from examples.movielens_genres.sample import write_sample


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
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


def test_a_folder_that_cannot_be_used_is_said_in_one_sentence(tmp_path, capsys):
    assert main(["missing", "--data", str(tmp_path / "nowhere")]) == 2
    assert "does not exist" in capsys.readouterr().err
