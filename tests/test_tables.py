"""Tables of other libraries, and columns of every type of pandas, are those of plain values."""

import io
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from PIL import Image

from multimodal_ensemble import fit_encoders, infer_encoders
from multimodal_ensemble._tables import from_arrow
from multimodal_ensemble.encoders import present_values
from multimodal_ensemble.exceptions import ModalityError
from tests import toys


def png(level):
    file = io.BytesIO()
    Image.new("RGB", (6, 9), (level, 0, 0)).save(file, "PNG")
    return file.getvalue()


class FakeDataset:
    """The part of `datasets.Dataset` that is used; images must not be decoded."""

    def __init__(self, table, features, columns=None):
        self._table, self.features = table, features
        self.column_names = list(table.column_names)

    def __len__(self):
        return len(self._table)

    def __getitem__(self, key):
        raise AssertionError

    def with_format(self, kind):
        assert kind == "arrow"
        table = self._table

        class Formatted:
            def __getitem__(self, rows):
                assert rows == slice(None)
                return table

        return Formatted()


@pytest.fixture
def dataset():
    table = pa.table(
        {
            "image": [{"bytes": png(level), "path": None} for level in (10, 20, 30)],
            "label": [0, 1, -1],
            "tags": [[1, 0], [], None],
            "caption": ["a red cat", "one blue dog", "two birds fly"],
        }
    )
    names = SimpleNamespace(names=["cat", "dog"])
    features = {"image": object(), "label": names, "caption": object()}
    return FakeDataset(table, features | {"tags": SimpleNamespace(feature=names)})


def test_a_dataset_of_hugging_face_is_a_table_with_the_names_of_labels(dataset):
    frame = from_arrow(dataset)
    assert list(frame) == ["image", "label", "tags", "caption"]
    assert frame["label"].tolist()[:2] == ["cat", "dog"]
    assert frame["label"].isna().tolist() == [False, False, True]
    assert frame["tags"].tolist() == [["dog", "cat"], [], None]
    assert frame["image"][0] == {"bytes": png(10), "path": None}


def test_images_of_a_dataset_are_read(dataset, capsys):
    encoders = infer_encoders(dataset, exclude=["label", "tags"], backbone=toys.make_network())
    assert [type(each).__name__ for each in encoders] == ["ImageEncoder", "BagOfWordsEncoder"]
    assert "ImageEncoder('image', backbone=backbone),  # images\n" in capsys.readouterr().out
    image, _ = fit_encoders(encoders, dataset)
    encoded = image.encode(image.select(from_arrow(dataset)))
    assert encoded[:, 0, 0, 0].tolist() == [10, 20, 30]


def test_a_dataset_that_is_read_row_by_row_is_refused():
    stream = SimpleNamespace(with_format=lambda kind: None, features=None, column_names=["a"])
    with pytest.raises(ValueError, match="is not supported"):
        from_arrow(stream)


def test_tables_with_to_pandas_are_converted():
    frame = pd.DataFrame({"a": [1, 2]})
    table = SimpleNamespace(columns=["a"], to_pandas=lambda: frame)
    assert from_arrow(table) is frame
    table = SimpleNamespace(columns=["a"], to_pandas=lambda: [1, 2])
    with pytest.raises(ValueError, match="is not supported"):
        from_arrow(table)


COLUMNS = {
    "number": [1.0, 2.0, 4.0, None, 4.0, 9.0],
    "flag": [True, False, True, True, False, None],
    "text": ["a b c", "d e f", "g h i", None, "a e g", "b f i"],
    "date": pd.to_datetime(["2020-01-02", "2021-03-04", None, "1999-01-01", "2000-05-06", None]),
    "kind": ["x", "y", "x", "y", None, "x"],
}


def encode_all(data):
    encoded = {}
    for encoder in fit_encoders(infer_encoders(data, verbose=0), data):
        values, _ = present_values(encoder, encoder.select(data))
        encoded[encoder.name] = type(encoder).__name__, encoder.encode(values)
    return encoded


@pytest.mark.parametrize(
    "convert",
    [
        lambda table: table.convert_dtypes(),
        lambda table: table.convert_dtypes(dtype_backend="pyarrow"),
        lambda table: table.astype({"text": "category", "kind": "category"}),
        lambda table: table.astype({"text": "string", "kind": "string[pyarrow]"}),
        lambda table: table.astype({"number": pd.SparseDtype("float")}),
        lambda table: table.astype({"number": "float32"}),
        lambda table: table.astype(object),
        lambda table: table.set_index(pd.Index([7, 7, 1, 0, 3, 3])),
        lambda table: from_arrow(pa.Table.from_pandas(table)),
    ],
    ids=["nullable", "arrow", "category", "string", "sparse", "float32", "object", "index", "pa"],
)
def test_every_type_of_pandas_is_read_alike(convert):
    table = pd.DataFrame(COLUMNS)
    expected, found = encode_all(table), encode_all(convert(table))
    assert {name: kind for name, (kind, _) in found.items()} == {
        name: kind for name, (kind, _) in expected.items()
    }
    for name, (_, rows) in found.items():
        np.testing.assert_array_equal(rows, expected[name][1])


def test_arrays_and_lists_in_a_dictionary_are_read_like_a_table():
    table = pd.DataFrame(COLUMNS).drop(columns="flag")
    expected = encode_all(table)
    for convert in (np.asarray, list, tuple, pd.array):
        found = encode_all({name: convert(table[name]) for name in table})
        for name, (_, rows) in found.items():
            np.testing.assert_array_equal(rows, expected[name][1])


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (
            {"tags": ["a"], "year": 1999},
            r"one value for \['year'\]; for a single row, pass pandas.",
        ),
        ([{"year": 1999}], r"Received list.*|must be a DataFrame or a mapping"),
        (pd.DataFrame([[1, 2]], columns=[["a", "a"], ["x", "y"]]), "try data.columns ="),
    ],
    ids=["row", "rows", "levels"],
)
def test_other_data_is_refused_with_advice(data, match):
    for use in (infer_encoders, lambda data: fit_encoders([toys.make_poster("year")], data)):
        with pytest.raises(ModalityError, match=match):
            use(data)
