"""One class per row: each command with a file of two and of three classes."""

import json

import numpy as np
import pandas as pd
import pytest

from multimodal_ensemble import MultimodalEnsemble
from multimodal_ensemble.estimators import load_estimator
from tests.cli.running import run


@pytest.fixture(scope="module", params=["two", "three"])
def kinds(request, tmp_path_factory):
    """Return the folder of a file of rows with one class each, and the number of classes."""
    folder = tmp_path_factory.mktemp(request.param)
    rng = np.random.default_rng(3)
    names = ["lamp", "bowl", "tool"][: 2 if request.param == "two" else 3]
    kind = rng.choice(names, 120)
    shown = np.where(rng.random(120) < 0.8, kind, rng.choice(names, 120))
    rows = pd.DataFrame({"tags": [f"{each}-like, new" for each in shown], "kind": kind})
    rows.iloc[:90].to_csv(folder / "rows.csv", index=False)
    rows.iloc[90:].to_csv(folder / "test.csv", index=False)
    result = run(
        *("train", folder / "rows.csv", "--labels", "kind", "--out", folder / "model.mme"),
        *("--test", folder / "test.csv", "--report", folder / "report.html"),
    )
    return folder, len(names), result


def test_train_prints_the_accuracy_beside_that_of_the_most_frequent_class(kinds):
    folder, n_classes, result = kinds
    assert result.status == 0, result.err
    assert "30 rows: accuracy 0." in result.out
    assert "accuracy   model" in result.out
    assert f"{n_classes} classes, trained in" in result.out
    assert "trivial" in (folder / "report.html").read_text("utf-8")


def test_the_interval_is_around_the_accuracy(kinds):
    folder, _, _ = kinds
    value = run("evaluate", folder / "model.mme", folder / "test.csv", "--json").value
    (model,) = [
        each
        for each in value["intervals"]
        if each["metric"] == "accuracy" and each["model"] == "model"
    ]
    assert model["score"] == pytest.approx(value["accuracy"])
    assert model["low"] < model["score"] < model["high"]


def test_show_lists_the_classes(kinds):
    folder, n_classes, result = kinds
    shown = run("show", folder / "model.mme")
    assert f"Predicts one of {n_classes} classes per row: bowl, lamp" in shown.out
    assert result.out.partition("\n\nThe model is")[0] in shown.out


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_predictions_have_one_class_each(kinds, suffix):
    folder, n_classes, _ = kinds
    out = folder / f"out{suffix}"
    result = run("predict", folder / "model.mme", folder / "test.csv", "--out", out)
    assert result.status == 0, result.err
    table = pd.read_csv(out) if suffix == ".csv" else pd.read_parquet(out)
    scores = table.filter(like="score_")
    assert scores.shape == (30, n_classes)
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-5)
    model = load_estimator(folder / "model.mme")
    rows = pd.read_csv(folder / "test.csv")
    assert table["label"].tolist() == model.predict(rows).tolist()
    described = json.loads(out.with_name(f"{out.name}.json").read_text("utf-8"))
    assert len(described["thresholds"]) == (1 if n_classes == 2 else 3)


def test_explain_marks_the_predicted_class(kinds):
    folder, n_classes, _ = kinds
    value = run("explain", folder / "model.mme", folder / "test.csv", "--json").value
    predicted = load_estimator(folder / "model.mme").predict(pd.read_csv(folder / "test.csv")[:5])
    for row, name in enumerate(predicted, start=1):
        marked = [each["label"] for each in value["rows"] if each["row"] == row]
        found = {
            each["label"] for each in value["rows"] if each["row"] == row if each["is_predicted"]
        }
        assert len(marked) == (1 if n_classes == 2 else 3)
        assert found == ({name} & set(marked))


def test_compare(kinds):
    folder, _, _ = kinds
    options = ("--labels", "kind", "--folds", "2", "--models", "trivial", "ensemble")
    result = run("compare", folder / "rows.csv", *options)
    assert result.status == 0, result.err
    assert "minus trivial" in result.out


def test_a_class_that_no_training_row_has_is_an_error(kinds):
    folder, _, _ = kinds
    text = (folder / "test.csv").read_text("utf-8")
    (folder / "new.csv").write_text(text + '"box-like, new",box\n', "utf-8")
    result = run("evaluate", folder / "model.mme", folder / "new.csv", "--json")
    assert result.value["n_samples"] == 31
    # The library counts rows from 0.
    assert "classes that no training row has, in 1 of 31 rows. They count as errors" in result.err
    before = run("evaluate", folder / "model.mme", folder / "test.csv", "--json").value
    assert result.value["accuracy"] == pytest.approx(before["accuracy"] * 30 / 31)


def test_rows_without_a_class_are_left_out_with_a_warning(tmp_path, monkeypatch):
    rows = "x,y\n" + "1,a\n2,b\n3,\n" * 10
    (tmp_path / "rows.csv").write_text(rows)
    fit = MultimodalEnsemble.fit
    fitted = []

    def spy(self, X, y):
        fitted.extend(X.index)
        return fit(self, X, y)

    monkeypatch.setattr(MultimodalEnsemble, "fit", spy)
    options = ("train", tmp_path / "rows.csv", "--labels", "y", "--out", tmp_path / "model.mme")
    result = run(*options)
    assert result.status == 0, result.err
    assert fitted == [row for row in range(1, 31) if row % 3]
    assert "warning: 10 rows are left out, because no class is given (with --label-deli" in (
        result.err
    )
    assert "  row 3: the column 'y' is empty\n" in result.err
    assert "  and 5 more" in result.err
    result = run("inspect", tmp_path / "rows.csv", "--labels", "y", "--json")
    assert result.value["labels"] == {"a": 10, "b": 10}
    assert "10 rows are left out" in result.err
    evaluated = run("evaluate", tmp_path / "model.mme", tmp_path / "rows.csv", "--json")
    assert evaluated.value["n_samples"] == 20
    assert "10 rows are left out of the evaluation:\n  row 3: the column 'y'" in evaluated.err
    assert [each["row"] for each in evaluated.value["bad_rows"]] == [*range(3, 31, 3)]
    assert run(*options, "--label-delimiter", "|", "--json").value["labels"] == ["a", "b"]


def test_compare_leaves_out_rows_without_a_class(tmp_path):
    (tmp_path / "rows.csv").write_text("x,y\n" + "1,a\n2,b\n3,\n" * 10)
    options = ("--labels", "y", "--folds", "2", "--models", "trivial", "--json")
    result = run("compare", tmp_path / "rows.csv", *options)
    assert result.value["n_rows"] == 20, result.err
    assert "10 rows are left out" in result.err


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ("tags,kind\nx,chair\ny,table\n", (), "knows none of the classes in the column 'kind':"),
        ("tags,kind\nx,chair\ny,table\n", (), "the file has ['chair', 'table'], and the model ["),
        ("tags,kind\nx,\ny,NA\n", (), "No row has a label in the column 'kind'"),
        ("tags,kind,b\nx,1,0\n", ("--labels", "kind", "b"), "and one column has it"),
    ],
)
def test_rows_of_which_no_class_is_known_are_not_evaluated(rows, options, message, kinds):
    folder, _, _ = kinds
    (folder / "unknown.csv").write_text(rows, "utf-8")
    result = run("evaluate", folder / "model.mme", folder / "unknown.csv", *options)
    assert (result.status, result.out) == (1, "")
    assert message in result.err
    assert "Traceback" not in result.err


def test_whole_numbers_are_the_same_classes_beside_a_missing_one(tmp_path):
    rows = pd.DataFrame({"x": [0.5, 2.5, 1.5] * 10, "y": [0, 1, 2] * 10})
    rows.to_parquet(tmp_path / "rows.parquet")
    rows["y"] = rows["y"].where(rows.index > 0)
    assert rows["y"].dtype == float
    rows.to_parquet(tmp_path / "test.parquet")
    options = ("--labels", "y", "--out", tmp_path / "model.mme")
    assert run("train", tmp_path / "rows.parquet", *options).status == 0
    result = run("evaluate", tmp_path / "model.mme", tmp_path / "test.parquet", "--json")
    assert result.status == 0, result.err
    assert result.value["n_samples"] == 29


def test_an_object_is_no_class(kinds):
    folder, _, _ = kinds
    (folder / "object.jsonl").write_text('{"tags": "x", "kind": {"a": 1}}\n', "utf-8")
    result = run("evaluate", folder / "model.mme", folder / "object.jsonl")
    assert result.status == 1
    assert "must hold one class per row" in result.err
