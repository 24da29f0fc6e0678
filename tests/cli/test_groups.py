"""Rows of one group, such as one customer, never stand on both sides of a split."""

import pandas as pd
import pytest

from multimodal_ensemble import MultimodalEnsemble
from multimodal_ensemble.estimators import load_estimator
from tests.cli.running import run


def write_rows(path, n_customers=12, **changed):
    """Write five rows per customer; labels belong to customers."""
    rows = pd.DataFrame({"customer": [f"c{row // 5}" for row in range(5 * n_customers)]})
    number = rows.index // 5
    rows["x"] = number % 2 * 3 + rows.index % 5
    rows["y"] = ["a" if each % 2 else "b|c" if each % 3 else "" for each in number]
    for column, values in changed.items():
        rows[column] = values
    rows.to_csv(path, index=False)
    return path


@pytest.fixture
def fits(monkeypatch):
    """Return the rows and groups of each `fit`."""
    fits = []
    fit = MultimodalEnsemble.fit

    def spy(self, X, y, *, groups=None):
        fits.append((X, groups))
        return fit(self, X, y, groups=groups)

    monkeypatch.setattr(MultimodalEnsemble, "fit", spy)
    return fits


def test_groups_are_held_out_as_a_whole_and_reach_the_training(tmp_path, fits):
    rows, out = write_rows(tmp_path / "rows.csv"), tmp_path / "model.mme"
    options = ("--labels", "y", "--groups", "customer", "--out", out)
    result = run("train", rows, *options, "--test-size", "0.25")
    assert result.status == 0, result.err
    ((table, groups),) = fits
    assert "customer" not in table
    assert groups.value_counts().tolist() == [5] * groups.nunique()
    n_held = 12 - groups.nunique()
    assert f"{5 * n_held} of 60 rows are held out" in result.err
    assert f"which are {n_held} of 12 groups in 'customer'" in result.err
    assert [encoder.columns for encoder in load_estimator(out).encoders_] == [["x"]]
    assert "groups: customer" in run("show", out).out


def test_intervals_are_those_of_groups(tmp_path):
    rows, out = write_rows(tmp_path / "rows.csv", x=[row % 7 for row in range(60)]), tmp_path / "m"
    options = ("--labels", "y", "--out", out, "--exclude", "customer", "--groups", "customer")
    result = run("train", rows, *options[:-2])
    assert result.status == 0, result.err
    by_row = run("evaluate", out, rows, "--json").value["intervals"]
    assert run("train", rows, *options).status == 0
    by_group = run("evaluate", out, rows, "--json").value["intervals"]
    for each, other in zip(by_row, by_group, strict=True):
        if each["metric"] == "mean_accuracy" and each["model"] == "model":
            # Rows of a customer have the same labels.
            assert other["high"] - other["low"] > 1.2 * (each["high"] - each["low"])


def test_a_file_of_test_rows_of_the_same_groups_is_said_to_be_too_easy(tmp_path):
    rows = write_rows(tmp_path / "rows.csv")
    (tmp_path / "test.csv").write_text("customer,x,y\nc1,3,a\nother,0,b\nother,1,\n", "utf-8")
    options = ("--labels", "y", "--groups", "customer", "--out", tmp_path / "model.mme")
    result = run("train", rows, *options, "--test", tmp_path / "test.csv")
    assert result.status == 0, result.err
    assert "1 of 3 test rows are of groups in 'customer' that training rows are of" in result.err


def test_folds_of_compare_have_whole_groups(tmp_path, fits):
    rows = write_rows(tmp_path / "rows.csv")
    options = ("--labels", "y", "--groups", "customer", "--folds", "2", "--models", "ensemble")
    result = run("compare", rows, *options)
    assert result.status == 0, result.err
    assert len(fits) == 2
    first, second = (set(groups) for _, groups in fits)
    assert first.isdisjoint(second)
    assert all("customer" not in table for table, _ in fits)


@pytest.mark.parametrize(
    ("customers", "options", "status", "message"),
    [
        (["a", "b"] * 30, ["--groups", "client"], 1, "There is no column 'client'. The file has"),
        (["a"] * 60, ["--groups", "customer"], 1, "has 1 group in 60 rows, and at least 2"),
        (["a", None] * 30, ["--groups", "customer"], 1, "no value in 30 of 60 rows, the first is"),
        (["a", "b"] * 30, ["--groups", "y"], 2, "'y' is named for two purposes"),
        ([*range(60)], ["--groups", "customer", "--exclude", "x"], 1, "--labels, --groups, --id"),
        (["a", "b"] * 30, ["--groups", "x", "--numbers", "x"], 2, "'x' is named for two purposes"),
    ],
)
@pytest.mark.parametrize("command", ["train", "compare"])
def test_groups_that_cannot_be_used(customers, options, status, message, command, tmp_path):
    rows = write_rows(tmp_path / "rows.csv", customer=customers)
    out = ("--out", tmp_path / "model.mme") if command == "train" else ()
    result = run(command, rows, "--labels", "y", *out, *options)
    assert result.status == status
    assert message in result.err
    assert "Traceback" not in result.err


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("train", "--test-size", "0.5", "--out", "m"), "holds out whole groups, and the training"),
        (("compare", "--folds", "3"), "each of the 3 folds has whole groups"),
        (("compare", "--folds", "2"), "each of the 2 folds needs two groups, which the training"),
    ],
)
def test_too_few_groups_for_the_splits(command, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = write_rows(tmp_path / "rows.csv", customer=["a", "b"] * 30)
    result = run(command[0], rows, "--labels", "y", "--groups", "customer", *command[1:])
    assert result.status == 1
    assert message in result.err


def test_a_trivial_benchmark_needs_one_group_per_fold(tmp_path):
    rows = write_rows(tmp_path / "rows.csv", customer=["a", "b"] * 30)
    options = ("--labels", "y", "--groups", "customer", "--folds", "2", "--models", "trivial")
    assert run("compare", rows, *options).status == 0


def test_groups_of_rows_with_unknown_labels_are_not_counted(tmp_path):
    labels = {"y": [0, 1] * 30, "z": [0, 1, 1] * 20}
    rows, out = write_rows(tmp_path / "rows.csv", **labels), tmp_path / "model.mme"
    result = run("train", rows, "--labels", "y", "z", "--groups", "customer", "--out", out)
    assert result.status == 0, result.err
    labels["y"] = [0, 1] * 2 + [None] * 56
    result = run("evaluate", out, write_rows(tmp_path / "test.csv", **labels), "--json")
    assert "all test rows with known labels are of one group in 'customer'" in result.err
    (figure,) = (
        each
        for each in result.value["intervals"]
        if (each["metric"], each["model"]) == ("mean_accuracy", "trivial")
    )
    # Resamples of one group alone would all be the same.
    assert figure["low"] < figure["high"]


def test_lists_in_the_test_file_are_no_groups(tmp_path, fits):
    rows, test = write_rows(tmp_path / "rows.csv"), tmp_path / "test.jsonl"
    test.write_text('{"customer": ["c1"], "x": 1, "y": "a"}\n', "utf-8")
    options = ("--labels", "y", "--groups", "customer", "--out", tmp_path / "model.mme")
    result = run("train", rows, *options, "--test", test)
    assert (result.status, fits) == (1, [])
    assert "'customer', must have one string or number per row" in result.err
