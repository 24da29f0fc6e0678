"""`DenseEncoder` compared with scikit-learn's `StandardScaler` and `SimpleImputer`."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as st_numpy
from sklearn.exceptions import NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from multimodal_ensemble import DenseEncoder, MultimodalDataset, fit_encoders
from multimodal_ensemble._tables import from_arrow, to_frame
from multimodal_ensemble.encoders import _numbers
from multimodal_ensemble.exceptions import ModalityError
from multimodal_ensemble.testing import check_encoder

MATRIX = np.random.default_rng(0).normal([5, -200, 0.01], [1, 30, 0.002], (9, 3))
OTHER = np.random.default_rng(1).normal(0, 100, (4, 3))


def standardized(train, values):
    return StandardScaler().fit(train).transform(values)


def object_series(matrix):
    return pd.Series(list(matrix), index=range(100, 100 + len(matrix)))


def object_array(matrix):
    array = np.empty(len(matrix), dtype=object)
    array[:] = list(matrix)
    return array


def as_frame(matrix):
    return pd.DataFrame(matrix, columns=list("abc"), index=[f"r{i}" for i in range(len(matrix))])


@pytest.mark.parametrize(
    "wrap",
    [
        np.asarray,
        list,
        lambda matrix: matrix.tolist(),
        lambda matrix: [tuple(row) for row in matrix],
        object_series,
        object_array,
        as_frame,
        np.asfortranarray,
    ],
    ids=["2-d", "arrays", "lists", "tuples", "series", "object", "frame", "fortran"],
)
def test_vectors_in_any_container_are_scaled_as_in_scikit_learn(wrap):
    encoder = DenseEncoder("numbers").fit(wrap(MATRIX))
    assert encoder.input_shape == encoder.feature_shape == (3,)
    for values in (MATRIX, OTHER):
        encoded = encoder.encode(wrap(values))
        assert encoded.dtype == np.float32
        np.testing.assert_allclose(encoded, standardized(MATRIX, values), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "values",
    [
        [3, 1, 2, 2],
        (3.5, 1.25, 2.0, 2.0),
        np.array([3, 1, 2, 2], dtype="uint8"),
        np.array([3, 1, 2, 2], dtype="float16"),
        np.array([True, False, True, True]),
        [True, False, True, True],
        pd.Series([3, 1, 2, 2], index=[5, 5, 0, 1]),
        pd.Series([3, 1, 2, 2], dtype="Int64"),
        pd.Series([True, False, True, True], dtype="boolean"),
        pd.Series([3, 1, 2, 2], dtype=object),
        pd.DataFrame({"year": [3, 1, 2, 2]}),
    ],
    ids=lambda values: f"{type(values).__name__}-{getattr(values, 'dtype', '')}",
)
def test_one_column_of_numbers_is_scaled_as_in_scikit_learn(values):
    column = np.array(values, dtype=float).reshape(-1, 1)
    encoded = DenseEncoder("year").fit(values).encode(values)
    np.testing.assert_allclose(encoded, standardized(column, column), rtol=1e-6)


@settings(deadline=None)
@given(
    st_numpy.arrays(
        float, st.tuples(st.integers(1, 6), st.integers(1, 4)), elements=st.floats(-1e6, 1e6)
    )
)
def test_any_finite_matrix_is_scaled_as_in_scikit_learn(matrix):
    encoder = DenseEncoder("numbers").fit(matrix)
    expected = standardized(matrix, matrix)
    np.testing.assert_allclose(encoder.encode(matrix), expected, rtol=1e-4, atol=1e-4)


def test_several_columns_keep_the_order_of_the_option():
    frame = pd.DataFrame({"a": [1.0, 2, 4], "rest": list("xyz"), "b": [10, 20, 0]}, index=[9, 8, 7])
    encoder = DenseEncoder("numbers", column=["b", "a"])
    encoder.fit(encoder.select(frame))
    expected = frame[["b", "a"]].to_numpy()
    np.testing.assert_allclose(
        encoder.encode(encoder.select(frame)), standardized(expected, expected), rtol=1e-6
    )


def test_a_constant_column_is_only_centred():
    encoder = DenseEncoder("numbers").fit([[0.1, 1], [0.1, 3]])
    np.testing.assert_allclose(encoder.encode([[0.1, 1], [2.1, 3]]), [[0, -1], [2, 1]], atol=1e-6)


def test_without_scaling_numbers_are_unchanged():
    encoder = DenseEncoder("numbers", scaling=None).fit(MATRIX)
    np.testing.assert_array_equal(encoder.encode(OTHER), OTHER.astype("float32"))
    learned = {"n_features_", "feature_names_", "mean_", "indicated_"}
    assert set(encoder.get_state()) == learned


# -- missing numbers -------------------------------------------------------------------------------


def with_gaps(n_rows, columns, seed=0):
    """Return a table in which some numbers of the given columns are missing."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(rng.normal([5, -200, 0.01], [1, 30, 0.002], (n_rows, 3)))
    table.columns = list("abc")
    return table.mask((rng.random((n_rows, 3)) < 0.4) & table.columns.isin(list(columns)))


@pytest.mark.parametrize("columns", ["", "b", "ac", "abc"])
@pytest.mark.parametrize("scaling", ["standard", None])
def test_missing_numbers_are_imputed_and_indicated_as_in_scikit_learn(columns, scaling):
    train, other = with_gaps(20, columns), with_gaps(9, "abc", seed=1)
    steps = [StandardScaler()] if scaling else []
    oracle = make_pipeline(*steps, SimpleImputer(add_indicator=True)).fit(train)
    encoder = DenseEncoder("numbers", column=list("abc"), scaling=scaling).fit(train)
    assert encoder.input_shape == (3 + len(columns),)
    for table in (train, other):
        expected = oracle.transform(table)
        np.testing.assert_allclose(encoder.encode(table), expected, rtol=1e-5, atol=1e-6)
        prepared = encoder.prepare(table)
        np.testing.assert_array_equal(encoder.encode(prepared[[2]]), encoder.encode(table)[[2]])


@pytest.mark.parametrize(
    "wrap",
    [list, np.array, pd.Series, lambda values: pd.Series(values, dtype="Float64")],
    ids=["list", "array", "series", "nullable"],
)
def test_missing_numbers_of_one_column_are_imputed_and_indicated(wrap):
    encoder = DenseEncoder("year", scaling=None).fit(wrap([1.0, np.nan, 4.0]))
    assert encoder.encode(wrap([np.nan, 7.0])).tolist() == [[2.5, 1.0], [7.0, 0.0]]


def test_a_row_without_any_number_is_imputed_or_lacks_an_optional_modality():
    data = {"a": [1.0, None, 4.0], "b": [2.0, None, 6.0]}
    encoder = DenseEncoder("numbers", column=["a", "b"], scaling=None)
    (fitted,) = fit_encoders([encoder], data)
    assert fitted.encode(fitted.select(data))[1].tolist() == [2.5, 4.0, 1.0, 1.0]
    optional = DenseEncoder("numbers", column=["a", "b"], scaling=None, optional=True)
    (fitted,) = fit_encoders([optional], data)
    assert fitted.input_shape == (2,)
    dataset = MultimodalDataset(data, [fitted])
    assert dataset[0][0]["numbers_present"].ravel().tolist() == [1, 0, 1]


@pytest.mark.parametrize("values", [pd.DataFrame({"a": [1, 2], "b": [None, None]}), [None, None]])
def test_a_column_without_a_number_in_training_is_refused(values):
    place = "column 'b'" if isinstance(values, pd.DataFrame) else "position 0"
    with pytest.raises(ModalityError, match=rf"no number at {place} in any of the 2 .*Leave this"):
        DenseEncoder("numbers").fit(values)


# -- vectors without a copy ------------------------------------------------------------------------


@pytest.fixture
def mapped(tmp_path):
    """Return vectors of float32 in a file that is mapped into memory."""
    np.save(tmp_path / "vectors.npy", MATRIX.astype("float32"))
    return np.load(tmp_path / "vectors.npy", mmap_mode="r")


def test_vectors_that_are_mapped_into_memory_stay_on_disk(mapped):
    encoder = DenseEncoder("vector").fit(mapped)
    prepared = encoder.prepare(mapped)
    assert np.shares_memory(prepared, mapped)
    expected = encoder.encode(mapped.astype(float))
    np.testing.assert_array_equal(encoder.encode(prepared), expected)
    data = to_frame({"vector": mapped})
    rows = encoder.prepare(encoder.select(data))
    assert all(np.shares_memory(row, mapped) for row in rows)
    assert not any(isinstance(row, np.memmap) for row in rows)
    np.testing.assert_array_equal(encoder.encode(rows[[3, 1]]), expected[[3, 1]])


@pytest.mark.parametrize("kind", ["list_", "large_list", "list of fixed size"])
def test_columns_of_lists_in_arrow_tables_are_vectors_without_python_numbers(kind):
    pa = pytest.importorskip("pyarrow")
    numbers = pa.float32()
    dtype = pa.list_(numbers, 3) if " " in kind else getattr(pa, kind)(numbers)
    table = pa.table({"vector": pa.array(MATRIX.tolist(), dtype)})
    (row, *_) = from_arrow(table)["vector"]
    assert isinstance(row, np.ndarray)
    (encoder,) = fit_encoders([DenseEncoder("vector")], table)
    expected = DenseEncoder("vector").fit(MATRIX.astype("float32")).encode(MATRIX)
    np.testing.assert_allclose(encoder.encode(MATRIX), expected, rtol=1e-5)
    texts = pa.table({"tags": [["a", "b"], []]})
    assert from_arrow(texts)["tags"].tolist() == [["a", "b"], []]


def test_vectors_of_a_large_table_are_never_read_number_by_number(monkeypatch):
    monkeypatch.setattr(_numbers, "_to_float", None)
    rows = object_array(MATRIX)
    encoder = DenseEncoder("vector").fit(rows)
    np.testing.assert_array_equal(encoder.encode(encoder.prepare(rows)), encoder.encode(MATRIX))


def test_vectors_are_scaled_in_chunks_like_at_once(monkeypatch):
    at_once = DenseEncoder("vector").fit(MATRIX)
    monkeypatch.setattr(_numbers, "_NUMBERS_PER_CHUNK", 6)
    in_chunks = DenseEncoder("vector").fit(list(MATRIX))
    np.testing.assert_allclose(in_chunks.encode(OTHER), at_once.encode(OTHER), rtol=1e-6)
    wrong = MATRIX.copy()
    wrong[7, 2] = np.inf
    with pytest.raises(ModalityError, match="inf in row 7, position 2") as raised:
        in_chunks.prepare(wrong)
    assert raised.value.row == 7


def test_prepared_rows_are_encoded_like_the_whole():
    encoder = DenseEncoder("numbers").fit(as_frame(MATRIX))
    prepared, whole = encoder.prepare(as_frame(OTHER)), encoder.encode(as_frame(OTHER))
    for rows in ([0], [3, 1, 1], []):
        np.testing.assert_array_equal(encoder.encode(prepared[rows]), whole[rows])


def test_the_training_rows_are_not_changed():
    matrix = MATRIX.copy()
    DenseEncoder("numbers").fit(matrix).encode(matrix)
    np.testing.assert_array_equal(matrix, MATRIX)


def test_an_unknown_scaling_is_refused():
    with pytest.raises(ValueError, match=r"scaling must be one of 'standard', None.*'log'"):
        DenseEncoder("numbers", scaling="log")


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ([1.0, np.inf], r"'numbers' expects finite numbers. Received inf in row 1, position 0"),
        ([[1, 2], [np.nan, 3]], r"neither NaN nor infinite. Received nan in row 1, position 0"),
        (list(np.array([[1, 2], [3, np.nan]])), r"Received nan in row 1, position 1 \(1 such"),
        ([[1, 2], [3, np.inf], [-np.inf, 1]], r"Received inf in row 1, position 1 \(2 such"),
        ([[1, 2], None], r"Received nan in row 1, position 0 .*optional=True"),
        (
            pd.DataFrame({"year": [1, np.nan], "minutes": [3.0, np.inf]}, index=["x", "y"]),
            r"row 1, column 'minutes' \(1 such values in total\). Replace them first, or with NaN",
        ),
        (pd.DataFrame({0: [-np.inf]}), r"Received -inf in row 0, column 0"),
        ([[1, 2], [3]], r"'numbers' expects numbers, or vectors of equal length"),
        (pd.Series([np.ones(2), np.ones(3)]), r"vectors of equal length"),
        ([[1, 2], 3], r"vectors of equal length"),
        (["space", "war"], r"strings are not numbers.*Use BagOfWordsEncoder for tokens"),
        ([["space"], ["war"]], r"Use BagOfWordsEncoder for tokens"),
        (pd.DataFrame({"year": [1], "title": ["Alien"]}), r"strings are not numbers"),
        ([1, 2j], r"expects numbers"),
        ([10**400], r"too large"),
        (3, r"not iterable"),
        (pd.Series(pd.to_datetime(["2020-01-01"])), r"dates and times are not numbers"),
        (pd.DataFrame({"day": pd.to_datetime(["2020-01-01"])}), r"dates and times"),
        (np.array(["2020-01-01"], dtype="datetime64[D]"), r"dates and times"),
        (np.ones((2, 2, 2)), r"one number or one vector per row.*\(2, 2, 2\)"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else None,
)
@pytest.mark.parametrize("method", ["fit", "prepare"])
def test_values_that_are_not_finite_numbers_are_refused_with_their_position(values, match, method):
    with pytest.raises(ModalityError, match=match):
        getattr(DenseEncoder("numbers"), method)(values)


@pytest.mark.parametrize(
    ("values", "received"), [(MATRIX[:, :2], 2), (np.ones((2, 4)), 4), ([1.0, 2.0], 1)]
)
def test_another_width_than_in_training_is_refused(values, received):
    with pytest.raises(ModalityError, match=rf"'numbers' was fitted to 3 .*Received {received}"):
        DenseEncoder("numbers").fit(MATRIX).encode(values)


def test_an_error_about_a_number_carries_the_row():
    encoder = DenseEncoder("numbers").fit(MATRIX)
    with pytest.raises(ModalityError, match=r"Received nan in row 1, position 2") as info:
        encoder.encode([[1, 2, 3], [1, 2, np.nan]])
    assert info.value.row == 1
    with pytest.raises(ModalityError, match=r"Received 2") as info:
        encoder.encode([[1, 2]])
    assert info.value.row is None


def test_fit_to_no_rows_is_refused():
    with pytest.raises(ValueError, match=r"0 sample\(s\)"):
        DenseEncoder("numbers").fit([])


@pytest.mark.parametrize(
    "use",
    [
        lambda encoder: encoder.input_shape,
        lambda encoder: encoder.encode(MATRIX),
        lambda encoder: encoder.build_head(),
    ],
    ids=["input_shape", "encode", "head"],
)
@pytest.mark.parametrize("scaling", ["standard", None])
def test_before_fit_the_error_names_the_modality_and_fit(use, scaling):
    with pytest.raises(NotFittedError, match=r"'numbers' is not fitted yet. Call fit"):
        use(DenseEncoder("numbers", scaling=scaling))


def test_columns_in_another_order_are_refused():
    table = pd.DataFrame({"a": [1.0, 2.0], "b": [5.0, 9.0]})
    encoder = DenseEncoder("x", column=["a", "b"]).fit(table)
    with pytest.raises(ModalityError, match=r"fitted to the columns \['a', 'b'\]. Received"):
        encoder.encode(table[["b", "a"]])


@pytest.mark.parametrize("values", [["1", "2"], pd.Series(["1", "2"]), [1, "2"]])
def test_strings_that_look_like_numbers_are_refused(values):
    with pytest.raises(ModalityError, match="strings are not numbers"):
        DenseEncoder("x").fit(values)


# -- numbers as text -------------------------------------------------------------------------------


def test_numbers_as_text_are_refused_unless_the_decimal_mark_is_given():
    with pytest.raises(ModalityError, match=r"Received '1,5' in row 0.*pass decimal='.' to Dense"):
        DenseEncoder("price").fit(["1,5", "2"])
    with pytest.raises(ModalityError, match="Received '1,5' in row 0"):
        DenseEncoder("price", decimal=".").fit(["1,5", "2"])
    encoder = DenseEncoder("price", decimal=",", scaling=None).fit(["1,5", "2"])
    assert encoder.encode(["1.234,5", 3, None]).tolist() == [[1234.5], [3], [1.75]]


@settings(deadline=None)
@given(
    st.lists(st.floats(-1e9, 1e9).map(lambda x: round(x, 3)), min_size=2, max_size=9),
    st.sampled_from([".", ","]),
    st.sampled_from(["", "other", " ", "\u202f", "'"]),
    st.sampled_from(["{}", "$ {}", "{} \u20ac", " {} "]),
)
def test_numbers_are_read_as_they_were_written(numbers, decimal, group, frame):
    group = group.replace("other", "," if decimal == "." else ".")
    texts = [
        frame.format(f"{x:,.3f}".replace(",", "G").replace(".", decimal).replace("G", group))
        for x in numbers
    ]
    expected = DenseEncoder("x", scaling=None).fit(numbers).encode(numbers)
    for values in (texts, pd.Series(texts), pd.Series(texts, dtype="category")):
        encoder = DenseEncoder("x", decimal=decimal, scaling=None).fit(values)
        np.testing.assert_array_equal(encoder.encode(values), expected)
        np.testing.assert_array_equal(encoder.encode(encoder.prepare(values)), expected)


def test_columns_with_numbers_as_text_are_read_column_by_column():
    table = pd.DataFrame({"a": ["1,000", "n/a", "3 %"], "b": [1.5, None, 2]}, index=[7, 7, 8])
    encoder = DenseEncoder("x", column=["a", "b"], decimal=".", scaling=None, optional=True)
    assert encoder.find_missing(table).tolist() == [False, True, False]
    expected = [[1000, 1.5], [np.float32(0.03), 2]]
    assert encoder.fit(table).encode(table)[[0, 2], :2].tolist() == expected
    wrong = table.assign(a=["1", "x", "2"])
    with pytest.raises(ModalityError, match="'x' in row 1, column 'a'"):
        encoder.encode(wrong)
    lenient = encoder.set_params(on_error="missing").fit(table)
    with pytest.warns(UserWarning, match=r"1 of 3 values are no numbers.*'x' in row 1"):
        assert lenient.find_missing(wrong).tolist() == [False, True, False]


def test_options_for_numbers_as_text_are_checked():
    with pytest.raises(ValueError, match=r"decimal must be one of None, '.', ','"):
        DenseEncoder("x", decimal=";")
    with pytest.raises(ValueError, match="so it needs decimal="):
        DenseEncoder("x", on_error="missing")
    check_encoder(
        DenseEncoder("x", decimal=".", on_error="missing"), ["1", "2.5", "1,000", "-3", None]
    )


def test_vectors_as_text_are_read_and_others_refused():
    encoder = DenseEncoder("x", decimal=",", scaling=None).fit(["[0.5, 2]", "[1e3 -4]"])
    assert encoder.encode(["(1, 2)", [3, 4]]).tolist() == [[1, 2], [3, 4]]
    for text in ("[1, 'a']", "[[1], [2]]", "[1, 2", "[]", "[1, 2]" * 200_000):
        with pytest.raises(ModalityError, match="strings are not numbers"):
            encoder.encode([text, "[1, 2]"])
