"""Tables that are read part by part: Parquet files and iterators of tables."""

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from sklearn.ensemble import RandomForestClassifier

from multimodal_ensemble import (
    BagOfWordsEncoder,
    DenseEncoder,
    MultimodalClassifier,
    MultimodalEnsemble,
)
from multimodal_ensemble._labels import read_labels
from multimodal_ensemble.estimators import _prediction, _read_table, _rows
from multimodal_ensemble.exceptions import ImageReadError, ModalityError
from multimodal_ensemble.generators import _read_rows
from tests import toys

N_ROWS = 400


def make_encoders():
    return [BagOfWordsEncoder("tags"), DenseEncoder("number")]


def make_table(n_rows=N_ROWS, seed=0):
    generator = np.random.default_rng(seed)
    hidden = generator.integers(4, size=n_rows)
    return pd.DataFrame(
        {
            "id": np.arange(n_rows),
            "tags": [[f"t{value}", f"n{row % 7}"] for row, value in enumerate(hidden)],
            "number": hidden + generator.normal(size=n_rows),
            "genres": [[["war"], ["love"], ["war", "love"], []][value] for value in hidden],
        }
    )


@pytest.fixture(scope="module")
def table():
    return make_table()


@pytest.fixture(scope="module")
def file(table, tmp_path_factory):
    path = tmp_path_factory.mktemp("table") / "rows.parquet"
    table.to_parquet(path, row_group_size=150)
    return path


@pytest.fixture
def small_memory(monkeypatch):
    """Read all tables in files part by part."""
    monkeypatch.setattr(_read_table, "_KEPT_BYTES", 0)
    monkeypatch.setattr(_read_table, "_ROWS_PER_PART", 128)
    monkeypatch.setattr(_read_rows, "_KEPT_BYTES", 0)
    monkeypatch.setattr(_read_rows, "_ROWS_PER_PART", 128)
    monkeypatch.setattr(_prediction, "_ROWS_PER_PART", 128)


@pytest.fixture(scope="module")
def fitted(table):
    ensemble = MultimodalEnsemble(make_encoders(), random_state=1, verbose=0)
    return ensemble.fit(table[["tags", "number"]], table["genres"])


def tables_of(table, step=90):
    return (table.iloc[start : start + step] for start in range(0, len(table), step))


# -- labels in a column ----------------------------------------------------------------------


def test_y_may_name_a_column(table, fitted):
    ensemble = MultimodalEnsemble(make_encoders(), random_state=1, verbose=0)
    ensemble.fit(table, "genres")
    np.testing.assert_array_equal(ensemble.predict_proba(table), fitted.predict_proba(table))
    assert "genres" not in ensemble.feature_names_in_
    assert ensemble.evaluate(table, "genres").mean_roc_auc == (
        fitted.evaluate(table, table["genres"]).mean_roc_auc
    )
    by_mapping = MultimodalEnsemble(make_encoders(), random_state=1, verbose=0)
    by_mapping.fit({name: table[name] for name in ("tags", "number", "genres")}, "genres")
    np.testing.assert_array_equal(by_mapping.predict_proba(table), fitted.predict_proba(table))


def test_a_column_of_labels_must_exist(table):
    with pytest.raises(ValueError, match=r"y='genre' names a column of X, which X does not have"):
        MultimodalEnsemble(make_encoders(), verbose=0).fit(table, "genre")


def test_labels_of_a_file_are_those_of_the_table(table, tmp_path, small_memory):
    lists = [[], *([["war"]] * 130), ["love"], *([[]] * 140), ["art", "war"]]
    path = tmp_path / "rows.parquet"
    pd.DataFrame({"number": range(len(lists)), "genres": lists}).to_parquet(path)
    X, y = _read_table.split_labels(path, "genres")
    assert X.columns == ["number"]
    matrix, classes = _read_table.read_label_column(y, None)
    expected, expected_classes = read_labels(lists)
    np.testing.assert_array_equal(matrix, expected)
    assert classes.tolist() == expected_classes.tolist() == ["art", "love", "war"]


def test_strings_of_a_file_are_split_as_those_of_a_table(tmp_path, small_memory):
    strings = [None] * 130 + ["war"] * 140 + ["war | love|", "art|war", "art"] * 10
    path = tmp_path / "rows.parquet"
    pd.DataFrame({"number": range(len(strings)), "genres": strings}).to_parquet(path)
    _, y = _read_table.split_labels(path, "genres")
    for min_count in (1, 15):
        said = []
        matrix, classes = _read_table.read_label_column(y, None, min_count=min_count)
        expected, expected_classes = read_labels(strings, min_count=min_count, report=said.append)
        np.testing.assert_array_equal(matrix, expected)
        assert classes.tolist() == expected_classes.tolist()
        if min_count == 1:
            known, _ = _read_table.read_label_column(y, classes[::-1])
            np.testing.assert_array_equal(known, expected[:, ::-1])
    assert classes.tolist() == ["art", "war"]


def test_an_estimator_splits_strings_and_leaves_rare_labels_out(table, fitted, capsys):
    strings = table["genres"].str.join(" / ")
    strings[0] += " / odd"
    ensemble = MultimodalEnsemble(make_encoders(), min_label_count=2, random_state=1)
    ensemble.fit(table.assign(genres=strings), "genres")
    said = capsys.readouterr().out
    assert "y: strings of labels, split at '/', which " in said
    assert "y: 1 label of 3 left out, with fewer than 2 rows: ['odd']" in said
    np.testing.assert_array_equal(ensemble.predict_proba(table), fitted.predict_proba(table))
    with pytest.warns(UserWarning, match=r"1 label that no training row has.*\['odd'\]"):
        score = ensemble.score(table, strings)
    assert score == fitted.score(table, table["genres"])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["war"] * 300, "what separates them as label_delimiter"),
        ([["war"]] * 200 + [None] * 100, "an empty list where a row has no label"),
        ([[]] * 300, "has no labels"),
    ],
)
def test_labels_of_a_file_are_lists(tmp_path, small_memory, values, message):
    path = tmp_path / "rows.parquet"
    pd.DataFrame({"number": range(300), "genres": values}).to_parquet(path)
    _, y = _read_table.split_labels(path, "genres")
    with pytest.raises(ValueError, match=message):
        _read_table.read_label_column(y, None)


# -- training --------------------------------------------------------------------------------


def test_a_small_file_is_a_table_in_memory(table, file, fitted):
    ensemble = MultimodalEnsemble(make_encoders(), random_state=1, verbose=0)
    ensemble.fit(file, "genres")
    np.testing.assert_array_equal(ensemble.predict_proba(file), fitted.predict_proba(table))
    assert fitted.explain(file).modalities.equals(fitted.explain(table).modalities)


@pytest.mark.parametrize("source", ["file", "iterator"])
def test_a_network_learns_from_a_table_in_files(table, file, small_memory, capsys, source):
    options = {"random_state": 1, "epochs": 8}
    X = file if source == "file" else tables_of(table)
    classifier = MultimodalClassifier(make_encoders(), **options).fit(X, "genres")
    printed = capsys.readouterr().out
    assert "Encoders are fitted to" not in printed
    others = make_table(seed=5)
    assert classifier.evaluate(others, "genres").mean_roc_auc > 0.9
    assert classifier.provenance_["n_train"] == 360
    assert classifier.feature_names_in_.tolist() == ["id", "tags", "number"]


def test_an_ensemble_of_a_table_in_files_is_that_of_the_table(table, file, fitted, small_memory):
    ensemble = MultimodalEnsemble(make_encoders(), random_state=1, verbose=0)
    ensemble.fit(file, "genres")
    np.testing.assert_allclose(
        ensemble.predict_proba(table), fitted.predict_proba(table), rtol=0, atol=1e-4
    )
    assert ensemble.provenance_["n_train"] == N_ROWS


def test_members_need_rows_in_memory(file, small_memory):
    members = [("forest", RandomForestClassifier(n_estimators=2), ["number"])]
    ensemble = MultimodalEnsemble(make_encoders(), members=members, verbose=0)
    with pytest.raises(ValueError, match="members"):
        ensemble.fit(file, "genres")


def test_an_order_of_blocks_trains_as_well_as_any_order(small_memory, monkeypatch, tmp_path):
    # The table is sorted, so that the rows of a block have the same labels.
    monkeypatch.setattr(_read_rows, "_MAX_CACHED", 3)
    table = make_table(6000).sort_values("genres", key=lambda lists: lists.map(str))
    table.to_parquet(tmp_path / "sorted.parquet")
    others = make_table(2000, seed=5)
    scores = {}
    for name, X in (("blocks", tmp_path / "sorted.parquet"), ("all rows", table)):
        network = MultimodalClassifier(
            [DenseEncoder("number")], random_state=1, epochs=2, verbose=0
        )
        scores[name] = network.fit(X, "genres").evaluate(others, "genres").mean_roc_auc
    assert scores["blocks"] > 0.65
    # The standard error of the difference is about 0.002 with these rows.
    assert scores["blocks"] == pytest.approx(scores["all rows"], abs=0.01)


def test_encoders_of_many_rows_are_fitted_to_some(file, small_memory, monkeypatch, capsys):
    monkeypatch.setattr(_rows, "_MAX_SAMPLE", 50)
    classifier = MultimodalClassifier(make_encoders(), random_state=1, epochs=1).fit(file, "genres")
    assert "Encoders are fitted to 50 of 360 rows, chosen at random." in capsys.readouterr().out
    assert classifier.provenance_["n_train"] == 360


def test_validation_rows_may_be_in_a_file(table, file, small_memory):
    classifier = MultimodalClassifier(make_encoders(), random_state=1, epochs=2, verbose=0)
    classifier.fit(table, "genres", validation_data=(file, "genres"))
    assert classifier.provenance_["n_validation"] == N_ROWS


def test_a_training_with_files_is_resumed(file, small_memory, tmp_path):
    checkpoint = tmp_path / "checkpoint"
    options = {"random_state": 1, "evaluate_every": 5, "verbose": 0}
    first = MultimodalClassifier(make_encoders(), epochs=2, **options)
    first.fit(file, "genres", checkpoint=checkpoint)
    resumed = MultimodalClassifier(make_encoders(), epochs=3, **options)
    resumed.fit(file, "genres", resume_from=checkpoint)
    whole = MultimodalClassifier(make_encoders(), epochs=3, **options).fit(file, "genres")
    np.testing.assert_allclose(
        resumed.predict_proba(file), whole.predict_proba(file), rtol=0, atol=1e-6
    )


# -- prediction ------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["file", "iterator", "table"])
def test_predictions_part_by_part_are_those_of_the_whole(
    table, file, fitted, small_memory, monkeypatch, source
):
    X = {"file": file, "iterator": tables_of(table), "table": table}[source]
    parts = fitted.predict_proba(X)
    monkeypatch.undo()
    np.testing.assert_allclose(parts, fitted.predict_proba(table), rtol=1e-5)


def test_evaluation_of_a_file(table, file, fitted, small_memory, monkeypatch):
    evaluation = fitted.evaluate(file, "genres")
    score = fitted.score(file, "genres")
    monkeypatch.undo()
    assert evaluation.mean_roc_auc == pytest.approx(
        fitted.evaluate(table, table["genres"]).mean_roc_auc
    )
    assert score == pytest.approx(fitted.score(table, table["genres"]))


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_predictions_are_written(table, file, fitted, small_memory, tmp_path, suffix):
    path = tmp_path / f"predictions{suffix}"
    assert fitted.write_predictions(file, path, columns=["id"], at_least=1) == N_ROWS
    written = pd.read_csv(path) if suffix == ".csv" else pd.read_parquet(path)
    assert list(written) == ["id", "labels", "score_love", "score_war"]
    assert written["id"].tolist() == table["id"].tolist()
    labels = [tuple(each.split("|") if suffix == ".csv" else each) for each in written["labels"]]
    assert labels == fitted.predict_labels(table, at_least=1)
    np.testing.assert_allclose(written.iloc[:, 2:], fitted.predict_proba(table), rtol=1e-5)
    if suffix == ".parquet":
        assert str(pq.read_schema(path).field("labels").type).startswith("list<")


def test_rows_without_labels_are_written(fitted, tmp_path):
    rows = pd.DataFrame({"tags": [["t3"]], "number": [3.0]})
    fitted.write_predictions(rows, tmp_path / "none.csv")
    assert pd.read_csv(tmp_path / "none.csv")["labels"].isna().tolist() == [True]
    fitted.write_predictions(rows, tmp_path / "none.parquet")
    assert len(pd.read_parquet(tmp_path / "none.parquet")["labels"].iloc[0]) == 0


# -- bad inputs ------------------------------------------------------------------------------


def test_a_failure_leaves_the_older_file(fitted, table, tmp_path):
    path = tmp_path / "predictions.csv"
    path.write_text("older")
    with pytest.raises(ModalityError, match="tags"):
        fitted.write_predictions(table[["number"]], path)
    assert path.read_text() == "older"
    assert [each.name for each in tmp_path.iterdir()] == ["predictions.csv"]


@pytest.mark.parametrize(
    ("name", "columns", "message"),
    [
        ("predictions.txt", [], r"must end in \.csv or \.parquet"),
        ("predictions.csv", ["year"], "X has no columns"),
        ("predictions.csv", ["labels"], r"columns \['labels'\] more than once"),
    ],
)
def test_files_that_cannot_be_written(fitted, table, tmp_path, name, columns, message):
    with pytest.raises(ValueError, match=message):
        fitted.write_predictions(table, tmp_path / name, columns=columns)


def test_an_error_names_the_row_of_the_whole_table(table, small_memory):
    posters = [np.full((8, 8, 3), 9, dtype=np.uint8)] * N_ROWS
    X = pd.DataFrame({"poster": posters})
    classifier = MultimodalClassifier([toys.make_poster()], epochs=1, random_state=0, verbose=0)
    classifier.fit(X, table["genres"])
    X.at[300, "poster"] = "absent.png"
    with pytest.raises(ImageReadError, match="absent") as error:
        classifier.predict_proba(X)
    assert error.value.row == 300


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([["a", "b"]], "must yield tables"),
        ([], "yields no table"),
        ([{"tags": [["a"]], "number": [1.0]}, {"tags": [["a"]]}], "the same columns"),
    ],
)
def test_iterators_without_tables(fitted, items, message):
    with pytest.raises(ValueError, match=message):
        fitted.predict_proba(iter(items))
    with pytest.raises(ValueError, match=message):
        MultimodalEnsemble(make_encoders(), verbose=0).fit(iter(items), [["a"]])


def test_a_path_without_a_table(fitted):
    with pytest.raises(FileNotFoundError, match=r"There is no file or folder 'absent\.parquet'"):
        fitted.predict_proba("absent.parquet")
