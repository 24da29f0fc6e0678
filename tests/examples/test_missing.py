"""The comparison of one model for all cases with one model per case."""

import dataclasses

import numpy as np
import pytest

from examples.movielens_genres.__main__ import main
from examples.movielens_genres.study import _missing
from multimodal_ensemble import mean_accuracy
from multimodal_ensemble.model_selection import ComparisonResult


@pytest.mark.slow
def test_each_case_is_measured_with_both_models(sample_folder, tmp_path, monkeypatch, capsys):
    short = dataclasses.replace(_missing.RECOMMENDED, epochs=1, batch_size=512)
    monkeypatch.setattr(_missing, "RECOMMENDED", short)
    arguments = ["missing", "--data", str(sample_folder), "--store", str(tmp_path / "store")]
    network = ["--backbone", "MobileNet", "--weights", "random", "--image-size", "32"]
    out = tmp_path / "out"
    assert main([*arguments, *network, "--repeat", "2", "--out", str(out)]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if " ± " in line]
    shown = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    assert [cells[:2] for cells in shown] == [
        [case, model] for case in _missing.CASES for model in ("one for all", "made for this")
    ]
    comparison = ComparisonResult.load(out / "comparison.scores")
    assert comparison.models == [f"{case}: {model}" for case, model, *_ in shown]
    scores = [
        mean_accuracy(
            comparison.y_true[split.rows],
            split.y_scores["tags only: one for all"],
            split.thresholds["tags only: one for all"],
        )
        for split in comparison.splits
    ]
    assert shown[4][3] == f"{np.mean(scores):.3f} ± {np.std(scores, ddof=1):.3f}"
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "<q>poster only: made for this</q>" in page[: page.index("<nav")]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--data", "nowhere"], "does not exist"),
        (["--backbone", "Nope", "--weights", "random"], "keras.applications has no network 'Nope'"),
        (["--weights", "gone.weights.h5"], "Here: --weights PATH or random."),
        (["--image-size", "0"], "--image-size must be at least 1"),
        (
            ["--backbone", "VGG16", "--image-size", "5", "--weights", "random"],
            "Input size must be at least",
        ),
        (["--repeat", "0"], "--repeat must be at least 1"),
        (["--seed", "-1"], "--seed must be at least 0"),
    ],
)
def test_a_wrong_option_is_reported_in_one_sentence(sample_folder, options, message, check_refused):
    check_refused(["missing", "--data", sample_folder, *options], message)
