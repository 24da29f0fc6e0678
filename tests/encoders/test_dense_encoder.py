"""`DenseEncoder` compared with scikit-learn's `StandardScaler`."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as st_numpy
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import StandardScaler

from multimodal_ensemble import DenseEncoder
from multimodal_ensemble.exceptions import ModalityError

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
    assert set(encoder.get_state()) == {"n_features_", "feature_names_"}


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
        ([1.0, np.nan, 2.0], r"'numbers' .*Received nan in row 1, position 0 \(1 such"),
        ([1.0, None, 2.0], r"Received nan in row 1, position 0"),
        ([[1, 2], [3, np.inf], [-np.inf, 1]], r"Received inf in row 1, position 1 \(2 such"),
        (
            pd.DataFrame({"year": [1, 2], "minutes": [3.0, np.nan]}, index=["x", "y"]),
            r"Received nan in row 1, column 'minutes' \(1 such values in total\). Fill them in",
        ),
        (pd.DataFrame({0: [-np.inf]}), r"Received -inf in row 0, column 0"),
        (pd.Series([1, None], dtype="Int64"), r"Received nan in row 1"),
        (pd.DataFrame({"year": pd.Series([None, 1], dtype="Int64")}), r"row 0, column 'year'"),
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
