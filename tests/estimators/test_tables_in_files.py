"""Tables that are read part by part: Parquet files and iterators of tables."""

import dataclasses
import errno
import gc
import os
from decimal import Decimal

import keras
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from sklearn.ensemble import RandomForestClassifier

from multimodal_ensemble import (
    BagOfWordsEncoder,
    DenseEncoder,
    FeatureStore,
    MultimodalClassifier,
    MultimodalEnsemble,
    _open_table,
    _table_files,
)
from multimodal_ensemble._labels import read_labels
from multimodal_ensemble.estimators import _prediction, _read_table, _rows, _target_column
from multimodal_ensemble.estimators._write_predictions import PredictionWriter
from multimodal_ensemble.exceptions import ImageReadError, ModalityError
from multimodal_ensemble.features._digest_index import DigestIndex
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
    monkeypatch.setattr(_read_rows, "_KEPT_BYTES", 0)
    monkeypatch.setattr(_table_files, "_ROWS_PER_PART", 128)


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


def test_encoders_are_chosen_without_the_column_of_labels(table, file):
    for X in (table, file):
        ensemble = MultimodalEnsemble(random_state=1, verbose=0).fit(X, "genres")
        assert "genres" not in {column for each in ensemble.encoders_ for column in each.columns}


def test_a_column_of_labels_must_exist(table):
    with pytest.raises(ValueError, match=r"y='genre' names a column of X, which X does not have"):
        MultimodalEnsemble(make_encoders(), verbose=0).fit(table, "genre")


def test_labels_of_a_file_are_those_of_the_table(table, tmp_path, small_memory):
    lists = [[], *([["war"]] * 130), ["love"], *([[]] * 140), ["art", "war"]]
    path = tmp_path / "rows.parquet"
    pd.DataFrame({"number": range(len(lists)), "genres": lists}).to_parquet(path)
    X, y = _open_table.split_labels(path, "genres")
    assert X.columns == ["number"]
    matrix, target = _target_column.read_target_column(y, None)
    classes = target.classes
    expected, expected_classes = read_labels(lists)
    np.testing.assert_array_equal(matrix, expected)
    assert classes.tolist() == expected_classes.tolist() == ["art", "love", "war"]


def test_strings_of_a_file_are_split_as_those_of_a_table(tmp_path, small_memory):
    strings = [None] * 130 + ["war"] * 140 + ["war | love|", "art|war", "art"] * 10
    path = tmp_path / "rows.parquet"
    pd.DataFrame({"number": range(len(strings)), "genres": strings}).to_parquet(path)
    _, y = _open_table.split_labels(path, "genres")
    for min_count in (1, 15):
        said = []
        matrix, target = _target_column.read_target_column(y, None, min_count=min_count)
        classes = target.classes
        expected, expected_classes = read_labels(strings, min_count=min_count, report=said.append)
        np.testing.assert_array_equal(matrix, expected)
        assert classes.tolist() == expected_classes.tolist()
        if min_count == 1:
            known = dataclasses.replace(target, classes=classes[::-1])
            known, _ = _target_column.read_target_column(y, known)
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
        (["war"] * 300, "has one class only, 'war', in all 300 rows"),
        ([["war"]] * 200 + [None] * 100, "an empty list where a row has no label"),
        ([[]] * 300, "has no labels: all of its 300 lists"),
    ],
)
def test_labels_of_a_file_are_lists(tmp_path, small_memory, values, message):
    path = tmp_path / "rows.parquet"
    pd.DataFrame({"number": range(300), "genres": values}).to_parquet(path)
    _, y = _open_table.split_labels(path, "genres")
    with pytest.raises(ValueError, match=message):
        _target_column.read_target_column(y, None)


def test_an_error_says_from_where_rows_of_labels_are_counted(tmp_path, small_memory):
    path = tmp_path / "rows.parquet"
    pd.DataFrame({"genres": [["war"]] * 200 + [None] * 100}).to_parquet(path)
    _, y = _open_table.split_labels(path, "genres")
    with pytest.raises(ValueError, match="Received None in row 72") as error:
        _target_column.read_target_column(y, None)
    assert error.value.__notes__ == ["Rows of y are counted from row 128 of the file here."]


@pytest.mark.parametrize("source", ["file", "pandas", "pyarrow", "mapping"])
def test_numbers_in_a_column_are_label_lists(tmp_path, source):
    # As a matrix, they would be multi-hot labels.
    lists = [[number % 2] for number in range(20)]
    path = tmp_path / "rows.parquet"
    pd.DataFrame({"number": range(20), "genres": lists}).to_parquet(path)
    X = {
        "file": path,
        "pandas": pd.read_parquet(path),
        "pyarrow": pq.read_table(path),
        "mapping": {"number": list(range(20)), "genres": lists},
    }[source]
    _, y = _open_table.split_labels(X, "genres")
    matrix, target = _target_column.read_target_column(y, None)
    assert target.classes.tolist() == [0, 1]
    assert matrix[:2].tolist() == [[True, False], [False, True]]


# -- training --------------------------------------------------------------------------------


def test_a_small_file_is_a_table_in_memory(table, file, fitted):
    ensemble = MultimodalEnsemble(make_encoders(), random_state=1, verbose=0)
    ensemble.fit(file, "genres")
    np.testing.assert_array_equal(ensemble.predict_proba(file), fitted.predict_proba(table))


def test_rows_of_a_file_are_explained(table, fitted, tmp_path):
    table[:20].to_parquet(tmp_path / "rows.parquet")
    found = fitted.explain(tmp_path / "rows.parquet").modalities
    assert found.equals(fitted.explain(table[:20]).modalities)


@pytest.mark.parametrize("source", ["file", "iterator"])
def test_a_network_learns_from_a_table_in_files(table, file, small_memory, capsys, source):
    options = {"random_state": 1, "epochs": 4, "optimizer": keras.optimizers.SGD(0.5)}
    X = file if source == "file" else tables_of(table)
    classifier = MultimodalClassifier(make_encoders(), **options).fit(X, "genres")
    printed = capsys.readouterr().out
    assert "Encoders are fitted to" not in printed
    others = make_table(seed=5)
    assert classifier.evaluate(others, "genres").mean_roc_auc > 0.9
    assert classifier.provenance_["n_train"] == 360
    assert classifier.feature_names_in_.tolist() == ["id", "tags", "number"]


def test_a_training_from_files_holds_no_index_of_the_store(table, small_memory, tmp_path):
    class Watch(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            found = [each for each in gc.get_objects() if isinstance(each, DigestIndex)]
            held.append(sum(len(each) for each in found))

    held = []
    pixels = toys.draw_pixels(40, 8, 8, 3)
    X = pd.DataFrame({"poster": list(pixels)})
    store = FeatureStore(tmp_path / "store")
    gc.collect()
    options = {"store": store, "epochs": 1, "optimizer": "sgd", "random_state": 1, "verbose": 0}
    network = MultimodalClassifier([toys.make_poster()], **options)
    network.fit(X, table["genres"][:40], callbacks=[Watch()])
    assert held == [0]
    # The next call finds all features.
    assert store.count_uncomputed(network.encoders_[0], X["poster"]) == 0


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


@pytest.mark.slow
def test_an_order_of_blocks_trains_as_well_as_any_order(small_memory, monkeypatch, tmp_path):
    # The table is sorted, so that the rows of a block have the same labels.
    monkeypatch.setattr(_read_rows, "_MAX_CACHED", 3)
    table = make_table(3000).sort_values("genres", key=lambda lists: lists.map(str))
    table.to_parquet(tmp_path / "sorted.parquet")
    others = make_table(1000, seed=5)
    scores = {}
    for name, X in (("blocks", tmp_path / "sorted.parquet"), ("all rows", table)):
        optimizer = keras.optimizers.SGD(0.2)
        options = {"random_state": 1, "epochs": 2, "optimizer": optimizer, "verbose": 0}
        network = MultimodalClassifier([DenseEncoder("number")], **options)
        scores[name] = network.fit(X, "genres").evaluate(others, "genres").mean_roc_auc
    assert scores["blocks"] > 0.65
    # The standard error of the difference is about 0.002 with these rows.
    assert scores["blocks"] == pytest.approx(scores["all rows"], abs=0.01)


def test_encoders_of_many_rows_are_fitted_to_some(file, small_memory, monkeypatch, capsys):
    monkeypatch.setattr(_rows, "_MAX_SAMPLE", 50)
    options = {"random_state": 1, "epochs": 1, "batch_size": 90, "optimizer": "sgd"}
    classifier = MultimodalClassifier(make_encoders(), **options)
    classifier.fit(file, "genres")
    assert "Encoders are fitted to 50 of 360 rows, chosen at random." in capsys.readouterr().out
    assert classifier.provenance_["n_train"] == 360


def test_validation_rows_may_be_in_a_file(table, file, small_memory):
    options = {"random_state": 1, "epochs": 1, "batch_size": 90, "optimizer": "sgd", "verbose": 0}
    classifier = MultimodalClassifier(make_encoders(), **options)
    classifier.fit(table, "genres", validation_data=(file, "genres"))
    assert classifier.provenance_["n_validation"] == N_ROWS


@pytest.mark.slow
def test_a_training_with_files_is_resumed(file, small_memory, tmp_path):
    checkpoint = tmp_path / "checkpoint"
    # An optimizer that has a state.
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    options = {"random_state": 1, "evaluate_every": 5, "verbose": 0, "optimizer": optimizer}
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


def test_labels_that_are_numbers_are_written_as_numbers(tmp_path):
    path = tmp_path / "predictions.parquet"
    scores = np.zeros((2, 2), np.float32)
    rows = pd.DataFrame({"id": [1, 2]})
    with PredictionWriter.open(path, np.array([3, 5]), ["id"]) as writer:
        writer.begin(rows)
        writer.write(rows, [(), ()], scores)
        writer.write(rows, [(5,), (3, 5)], scores)
    assert [each.tolist() for each in pd.read_parquet(path)["labels"]] == [[], [], [5], [3, 5]]


# -- bad inputs ------------------------------------------------------------------------------


def test_a_failure_leaves_the_older_file(fitted, table, tmp_path):
    path = tmp_path / "predictions.csv"
    path.write_text("older")
    with pytest.raises(ModalityError, match="tags"):
        fitted.write_predictions(table[["number"]], path)
    with pytest.raises(ValueError, match="yields no table with rows"):
        fitted.write_predictions(iter([table[:0]]), path)
    with pytest.raises(FileNotFoundError, match=r"^There is no file or folder 'absent\.parquet'"):
        fitted.write_predictions("absent.parquet", path)
    assert path.read_text() == "older"
    assert [each.name for each in tmp_path.iterdir()] == ["predictions.csv"]


@pytest.mark.parametrize(
    ("name", "columns", "message"),
    [
        ("predictions.txt", [], r"must end in \.csv or \.parquet"),
        ("predictions.csv", ["year"], r"X has no columns \['year'\]"),
        ("predictions.csv", "year", r"X has no columns \['year'\]"),
        ("predictions.csv", ["labels"], r"columns \['labels'\] more than once"),
    ],
)
def test_files_that_cannot_be_written(fitted, table, tmp_path, name, columns, message):
    with pytest.raises(ValueError, match=message):
        fitted.write_predictions(table, tmp_path / name, columns=columns)


def test_predictions_are_not_written_where_rows_are_read(fitted, table, tmp_path):
    path = tmp_path / "rows.parquet"
    table.to_parquet(path)
    for X, name in ((path, "rows.parquet"), (tmp_path, "predictions.csv")):
        with pytest.raises(ValueError, match="Choose a file elsewhere"):
            fitted.write_predictions(X, tmp_path / name)
    assert pd.read_parquet(path).columns.tolist() == table.columns.tolist()
    assert [each.name for each in tmp_path.iterdir()] == ["rows.parquet"]


def test_a_failure_to_read_is_none_to_write(fitted, table, tmp_path):
    path = tmp_path / "predictions.csv"
    path.write_text("older")

    def tables():
        yield table
        message = "The database is gone."
        raise ConnectionError(message)

    with pytest.raises(ConnectionError, match=r"^The database is gone\.$"):
        fitted.write_predictions(tables(), path)
    with pytest.raises(ValueError, match="yields no table with rows"):
        fitted.write_predictions(iter([]), path)
    assert path.read_text() == "older"


def test_copied_columns_have_the_types_of_all_rows(fitted, table, small_memory, tmp_path):
    rows = table.assign(
        year=pd.array([None] * 200 + [2000] * 200, dtype="Int16"),
        price=[Decimal("1.5")] * 200 + [Decimal("1000.25")] * 200,
        cast=[[]] * 200 + [[{"name": "Ann"}]] * 200,
    )
    rows.to_parquet(tmp_path / "rows.parquet")
    expected = pq.read_table(tmp_path / "rows.parquet", columns=["year", "price", "cast"])
    path = tmp_path / "predictions.parquet"
    fitted.write_predictions(tmp_path / "rows.parquet", path, columns=expected.column_names)
    assert pq.read_table(path, columns=expected.column_names).equals(expected)
    fitted.write_predictions(rows, path, columns=["year", "price", "cast"])
    assert pq.read_table(path, columns=expected.column_names).equals(expected)
    mixed = table.assign(id=["a"] + [1] * (N_ROWS - 1))
    with pytest.raises(ValueError, match=r"Convert each of them to one type, or write a \.csv"):
        fitted.write_predictions(mixed, path, columns=["id"])
    assert pq.read_table(path).num_rows == N_ROWS


@pytest.mark.filterwarnings("ignore:Modality 'poster'. 1 image cannot be read")
@pytest.mark.parametrize("on_error", ["raise", "drop"])
def test_an_error_names_the_row_of_the_whole_table(table, small_memory, tmp_path, on_error):
    posters = [np.full((8, 8, 3), 9, dtype=np.uint8)] * N_ROWS
    X = pd.DataFrame({"poster": posters})
    poster = toys.make_poster(on_error=on_error)
    options = {"epochs": 1, "batch_size": 64, "optimizer": "sgd", "random_state": 0, "verbose": 0}
    classifier = MultimodalClassifier([poster], **options).fit(X[:60], table["genres"][:60])
    X.at[300, "poster"] = "absent.png"
    path = tmp_path / "predictions.csv"
    for predict in (
        lambda: classifier.predict_proba(X),
        lambda: classifier.predict_proba(tables_of(X)),
        lambda: classifier.write_predictions(X, path),
    ):
        with pytest.raises(ImageReadError) as error:
            predict()
        assert error.value.row == 300
        assert "in row 300" in str(error.value)
        assert "written" not in str(error.value)
    assert not path.exists()


def test_a_full_disk_is_an_error_of_writing(fitted, table, tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(pd.DataFrame, "to_csv", fail)
    with pytest.raises(OSError, match=r"The file could not be written \(No space left"):
        fitted.write_predictions(table, tmp_path / "predictions.csv")


def test_an_absent_column_is_noticed_before_rows_are_predicted(
    fitted, table, tmp_path, monkeypatch
):
    monkeypatch.setattr(_prediction, "predict_scores", None)
    with pytest.raises(ValueError, match=r"X has no columns \['year'\]"):
        fitted.write_predictions(table, tmp_path / "predictions.csv", columns=["year"])


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([["a", "b"]], "must yield tables"),
        ([], "yields no table"),
        ([{"tags": [["a"]], "number": [1.0]}, {"tags": [["a"]]}], "the same columns"),
        ([pd.DataFrame([[1, 2]], columns=["tags", "tags"])], "must have distinct names"),
    ],
)
def test_iterators_without_tables(fitted, items, message):
    with pytest.raises(ValueError, match=message):
        fitted.predict_proba(iter(items))
    with pytest.raises(ValueError, match=message):
        MultimodalEnsemble(make_encoders(), verbose=0).fit(iter(items), [["a"]])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1, "one"], "which cannot hold these values"),
        (pd.arrays.SparseArray([0, 1]), "which cannot hold these values"),
    ],
)
def test_iterators_whose_tables_are_no_files(values, message):
    with pytest.raises(ValueError, match=message):
        _open_table.open_lazy(iter([pd.DataFrame({"x": values})]))


def test_tables_of_an_iterator_have_the_same_types(monkeypatch):
    monkeypatch.setattr(_open_table, "_ROWS_PER_WRITE", 1)
    tables = [pd.DataFrame({"x": values}) for values in ([1], ["one"])]
    with pytest.raises(ValueError, match="the same type in all tables of an iterator"):
        _open_table.open_lazy(iter(tables))


def test_lists_are_no_tables(fitted, table):
    with pytest.raises(ValueError, match="pass an iterator of them"):
        fitted.predict_proba([table, table])
    with pytest.raises(ValueError, match=r"map\(pandas\.read_parquet, paths\)"):
        fitted.predict_proba(["a.parquet", "b.parquet"])


def test_a_path_without_a_table(fitted):
    for path in ("absent.parquet", ""):
        with pytest.raises(FileNotFoundError, match=f"There is no file or folder '{path}'"):
            fitted.predict_proba(path)
