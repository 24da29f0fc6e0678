"""The command predict: rows of any number, of which some are bad."""

import json
import signal
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from multimodal_ensemble import MultimodalEnsemble
from multimodal_ensemble.cli._console import Progress
from multimodal_ensemble.estimators import load_estimator
from tests.cli.running import run

SCORES = ["score_Garden", "score_Kitchen", "score_Office"]


@pytest.fixture(scope="module")
def predicted(plain, folder, products):
    out = folder / "predictions.csv"
    result = run("predict", plain, products, "--out", out, "--columns", "name", "--json")
    return SimpleNamespace(result=result, table=pd.read_csv(out), out=out)


@pytest.fixture
def lines(products):
    """Return the lines of the file; the row of number n is line n, up to row 33."""
    return products.read_text("utf-8-sig").splitlines()


def write(folder, lines):
    path = folder / "bad.csv"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def test_columns_of_the_file(predicted):
    assert list(predicted.table) == ["row", "sku", "name", "labels", *SCORES, "error"]
    assert predicted.table["row"].tolist() == list(range(1, 201))
    assert predicted.table["sku"].tolist() == [f"P-{row:05d}" for row in range(200)]
    assert predicted.table["error"].isna().all()


def test_labels_are_those_whose_scores_reach_the_thresholds(predicted, plain):
    described = json.loads(predicted.out.with_name("predictions.csv.json").read_text("utf-8"))
    thresholds = load_estimator(plain).thresholds_
    assert list(described["thresholds"].values()) == thresholds.tolist()
    for row in predicted.table.itertuples():
        expected = [
            name
            for name, limit in described["thresholds"].items()
            if getattr(row, f"score_{name}") >= limit
        ]
        assert str(row.labels).split("|") == (expected or ["nan"])


def test_absent_images_are_reported_once_in_all(trained, products, tmp_path):
    out = tmp_path / "predictions.csv"
    result = run("predict", trained.path, products, "--out", out, "--block", "90")
    assert result.status == 0
    assert result.err.count("images cannot be read") == 1
    assert "photo: 11 images cannot be read, and their rows are predicted without" in result.err
    assert f"start from '{products.parent}'; --root names another folder" in result.err
    assert pd.read_csv(out)["error"].isna().all()


def test_small_blocks_give_the_same_scores(predicted, plain, products, tmp_path):
    out = tmp_path / "predictions.parquet"
    assert run("predict", plain, products, "--out", out, "--block", "90").status == 0
    table = pd.read_parquet(out)
    np.testing.assert_allclose(table[SCORES], predicted.table[SCORES], atol=1e-5)
    joined = ["|".join(each) for each in table["labels"]]
    assert joined == predicted.table["labels"].fillna("").tolist()


def test_bad_rows_are_reported_with_their_numbers_and_do_not_lose_the_others(
    predicted, plain, lines, folder
):
    lines[3] += ",too,many"
    lines[5] = lines[5].replace(" %", " percent")
    lines[-1] = "only one value"
    path = write(folder, lines)
    result = run("predict", plain, path, "--out", folder / "bad.jsonl", "--json")
    assert result.status == 0
    assert [each["row"] for each in result.value["bad_rows"]] == [3, 5, 200]
    assert "row 3: 24 values for 22 columns (line 4)" in result.err
    assert "in row 5, column 'discount'" in result.err
    table = pd.read_json(folder / "bad.jsonl", lines=True)
    assert table["row"].tolist() == list(range(1, 201))
    others = ~table["row"].isin([3, 5, 200])
    assert table.loc[~others, SCORES].isna().all(axis=None)
    assert table.loc[~others, "error"].notna().all()
    np.testing.assert_allclose(
        table.loc[others, SCORES], predicted.table.loc[others, SCORES], atol=1e-5
    )


def test_no_file_is_written_if_no_row_can_be_predicted(plain, lines, folder):
    path = write(folder, [lines[0], *(line + ",more" for line in lines[1:4])])
    out = folder / "none.csv"
    result = run("predict", plain, path, "--out", out)
    assert result.status == 1
    assert "No row can be predicted; row 1: 23 values for 22 columns" in result.err
    assert not list(folder.glob("none*"))


def test_rows_of_another_kind_are_given_up_early(plain, lines, folder):
    path = write(folder, [line.replace(" %", " percent") for line in lines])
    result = run("predict", plain, path, "--out", folder / "none.csv")
    assert result.status == 1
    assert "20 rows in succession cannot be read" in result.err


def test_a_file_may_lack_the_columns_of_optional_modalities(plain, products, tmp_path):
    rows = pd.read_csv(products, dtype=str).drop(columns=["keywords", "sku"])
    rows[:20].to_csv(tmp_path / "rows.tsv", sep="\t", index=False)
    result = run("predict", plain, tmp_path / "rows.tsv", "--out", tmp_path / "out.csv")
    assert result.status == 0
    assert "lacks keywords, which the model reads" in result.err
    assert list(pd.read_csv(tmp_path / "out.csv")) == ["row", "labels", *SCORES, "error"]


def test_a_column_that_is_needed_is_named(plain, products, tmp_path):
    pd.read_csv(products).drop(columns="price").to_csv(tmp_path / "rows.csv", index=False)
    result = run("predict", plain, tmp_path / "rows.csv", "--out", tmp_path / "out.csv")
    assert result.status == 1
    assert "['price'], which the data lacks" in result.err


def test_ctrl_c_keeps_the_rows_so_far(plain, products, tmp_path, monkeypatch):
    predict_proba = MultimodalEnsemble.predict_proba
    calls = []

    def interrupted(self, X):
        calls.append(len(X))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return predict_proba(self, X)

    monkeypatch.setattr(MultimodalEnsemble, "predict_proba", interrupted)
    out = tmp_path / "out.csv"
    result = run("predict", plain, products, "--out", out, "--block", "20")
    assert result.status == 130
    assert f"the first 40 rows are in {tmp_path / 'out.partial.csv'}" in result.err
    assert len(pd.read_csv(tmp_path / "out.partial.csv")) == 40
    assert not out.exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--out", "out.xlsx"], "must end in .csv, .tsv, .jsonl, .parquet"),
        (["--out", "out.csv", "--id", "key"], "There is no column 'key'"),
        (["--out", "absent/out.csv"], "there is no folder 'absent'"),
        (["--out", "."], "is a folder; name a file"),
    ],
)
def test_bad_input_is_refused(options, message, plain, products, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run("predict", plain, products, *options)
    assert result.status == 1
    assert message in result.err
    assert not list(tmp_path.iterdir())


def test_no_file_that_is_read_is_replaced(plain, products):
    before = products.read_bytes()
    for out in (products, plain):
        result = run("predict", plain, products, "--out", out)
        assert result.status == 1
        assert "is also read, and would be replaced" in result.err
    assert products.read_bytes() == before


def test_labels_with_the_separator_need_lists(tmp_path):
    model = MultimodalEnsemble(verbose=0).fit({"x": [1.0, 2, 3, 4]}, [["a|b"], [], ["a|b"], []])
    model.save(tmp_path / "model.mme")
    (tmp_path / "rows.csv").write_text("x\n1\n")
    options = ("predict", tmp_path / "model.mme", tmp_path / "rows.csv", "--out")
    assert "the label 'a|b' has it" in run(*options, tmp_path / "out.csv").err
    assert run(*options, tmp_path / "out.jsonl").status == 0


def test_progress_says_how_much_time_is_left(monkeypatch, capsys):
    times = iter([0.0, 20.0])
    monkeypatch.setattr("time.monotonic", lambda: next(times))
    progress = Progress(SimpleNamespace(is_quiet=False))
    progress.update(1000, 0.25)
    assert capsys.readouterr().err.strip() == "1,000 rows, 25%, about 60 s left"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Return the path of a model of one column of numbers, beside a file of rows."""
    folder = tmp_path_factory.mktemp("tiny")
    model = MultimodalEnsemble(verbose=0, random_state=0)
    model.fit({"x": [1.0, 2, 3, 4]}, [["a"], [], ["a"], []]).save(folder / "model.mme")
    (folder / "rows.csv").write_text("row,labels,error,x\nr1,b,no,1\nr2,,,2\n", "utf-8")
    return folder / "model.mme"


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_copied_columns_do_not_hide_the_predictions(suffix, tiny, tmp_path):
    out = tmp_path / f"out{suffix}"
    options = ("--columns", "labels", "error", "row", "--out", out)
    result = run("predict", tiny, tiny.with_name("rows.csv"), *options)
    assert result.status == 0, result.err
    reads = {".csv": pd.read_csv, ".parquet": pd.read_parquet}
    table = reads[suffix](out) if suffix in reads else pd.read_json(out, lines=True)
    results = ["row", "data_labels", "data_error", "data_row", "labels", "score_a", "error"]
    assert list(table) == results
    assert table["row"].tolist() == [1, 2]
    assert table["data_row"].tolist() == ["r1", "r2"]
    assert table["data_labels"].tolist()[0] == "b"


def test_a_partial_file_that_is_read_is_not_replaced(tiny, tmp_path):
    rows = tmp_path / "out.partial.csv"
    rows.write_text("x\n1\n", "utf-8")
    result = run("predict", tiny, rows, "--out", tmp_path / "out.csv")
    assert result.status == 1
    assert "is also read, and would be replaced" in result.err
    assert rows.read_text("utf-8") == "x\n1\n"


def test_a_device_is_not_replaced(tiny):
    if not Path("/dev/null").exists():
        pytest.skip("this system has no /dev/null")
    result = run("explain", tiny, tiny.with_name("rows.csv"), "--out", "/dev/null")
    assert result.status == 1
    assert "is no file but a device" in result.err


def test_parquet_without_its_package_is_refused_before_anything_is_read(monkeypatch, tmp_path):
    monkeypatch.setattr("multimodal_ensemble.cli._prediction_file.find_spec", lambda name: None)
    result = run("predict", "absent.mme", "absent.csv", "--out", tmp_path / "out.parquet")
    assert result.status == 1
    assert "pip install pyarrow" in result.err


def test_only_columns_that_rows_may_lack_are_said_to_be_left_out(plain, tmp_path):
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n", "utf-8")
    for command in (("predict", "--out", tmp_path / "out.csv"), ("explain",)):
        result = run(command[0], plain, tmp_path / "rows.csv", *command[1:])
        assert result.status == 1
        assert result.err == (
            "error: The model reads ['price', 'year', 'discount'], which the data lacks. It has "
            "a, b. Name the columns as in the training rows.\n"
        )


def test_sigterm_keeps_the_rows_so_far(tiny, tmp_path, monkeypatch):
    predict_proba = MultimodalEnsemble.predict_proba
    calls = []

    def terminated(self, X):
        calls.append(len(X))
        if len(calls) == 2:
            signal.getsignal(signal.SIGTERM)(signal.SIGTERM, None)
        return predict_proba(self, X)

    monkeypatch.setattr(MultimodalEnsemble, "predict_proba", terminated)
    options = ("--block", "1", "--out", tmp_path / "out.csv")
    result = run("predict", tiny, tiny.with_name("rows.csv"), *options)
    assert result.status == 143
    assert "Terminated; the first 1 rows are in " in result.err
    assert len(pd.read_csv(tmp_path / "out.partial.csv")) == 1
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
