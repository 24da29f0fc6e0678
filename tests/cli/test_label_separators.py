"""Labels that another text separates than in the training rows."""

import re

import pandas as pd
import pytest

from multimodal_ensemble import MultimodalEnsemble
from tests.cli.running import run


def evaluate_labels(labels, plain, folder, *options):
    """Evaluate rows with these labels; the training rows had "|" between Garden and others."""
    rows = pd.DataFrame({"keywords": "gift", "price": "1", "year": "2", "discount": "3 %"}, [0])
    rows = rows.loc[[0] * len(labels)].assign(labels=labels)
    rows.to_csv(folder / "rows.csv", index=False)
    return run("evaluate", plain, folder / "rows.csv", *options)


@pytest.mark.parametrize(
    ("labels", "how"),
    [
        (["Garden;Office", "Kitchen", "Garden"], "are separated by ';'"),
        (["Garden, Office", "Kitchen, Garden", ""], "are separated by ','"),
        (["['Garden', 'Office']", "['Kitchen']", "[]"], "are lists as text"),
    ],
)
def test_another_separator_of_labels_is_found_where_all_are_then_known(
    labels, how, plain, tmp_path
):
    result = evaluate_labels(labels, plain, tmp_path, "--json")
    assert result.status == 0, result.err
    note = f"The labels in the column 'labels' {how}, and those of the training rows by '|'\n"
    assert note in result.err
    assert "that no training row has" not in result.err
    same = [re.sub("[;,] ?", "|", re.sub(r"[\[\]']", "", each)) for each in labels]
    expected = evaluate_labels(same, plain, tmp_path, "--json")
    assert "those of the training rows" not in expected.err
    assert {**result.value, "data": 0} == {**expected.value, "data": 0}


UNSURE = ["Garden;Office", "Garden;Attic", "Kitchen;Office", "Kitchen|Office"]


def test_labels_that_another_text_seems_to_separate_are_refused(plain, tmp_path):
    result = evaluate_labels(UNSURE, plain, tmp_path)
    assert (result.status, result.out) == (1, "")
    assert result.err.splitlines()[-1] == (
        "error: The labels in the column 'labels' seem to be separated by ';', as in "
        "'Garden;Office', and those of the training rows are by '|', as in 'Garden|Kitchen'. If "
        "so, pass --label-delimiter ';'; with --label-delimiter '|', labels that the model does "
        "not know are left out."
    )
    for delimiter in (";", "|"):
        assert evaluate_labels(UNSURE, plain, tmp_path, "--label-delimiter", delimiter).status == 0


@pytest.mark.parametrize(
    "labels",
    [
        ["Garden|Office", "Kitchen", "Attic"],
        ["Garden", "Kitchen", "Office", "Attic, Cellar"],
        ["Garden", "Attic", "Cellar", "Shed; Barn"],
        ["Garden|Attic; Garden", "Kitchen|Office"],
    ],
)
def test_unknown_labels_are_left_out_with_a_warning(labels, plain, tmp_path):
    result = evaluate_labels(labels, plain, tmp_path)
    assert result.status == 0, result.err
    assert "that no training row has and that cannot be predicted" in result.err
    assert "those of the training rows" not in result.err


def test_the_separator_of_test_rows_is_checked_before_the_training(products, tmp_path, monkeypatch):
    monkeypatch.setattr(MultimodalEnsemble, "fit", None)
    lines = "\n".join(f"gift,{each}" for each in UNSURE)
    (tmp_path / "test.csv").write_text(f"keywords,labels\n{lines}\n", "utf-8")
    options = ("--labels", "labels", "--out", tmp_path / "m", "--test", tmp_path / "test.csv")
    result = run("train", products, *options, "--tags", "keywords")
    assert result.status == 1
    assert "seem to be separated by ';'" in result.err
