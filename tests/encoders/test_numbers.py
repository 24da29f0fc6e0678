"""Numbers of every type in columns: NumPy's float64 conversion is the oracle, or an error."""

import datetime
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from multimodal_ensemble import DenseEncoder
from multimodal_ensemble.exceptions import ModalityError

LARGEST = float(np.finfo("float32").max)
NAN = float("nan")


def raw(values):
    """Return values as the encoder reads them, without scaling."""
    return DenseEncoder("n", scaling=None).fit(values).encode(values)


def objects(*values):
    return pd.Series(values, dtype=object, name="a")


# -- too large for float32 -------------------------------------------------------------------------


@pytest.mark.parametrize("scaling", ["standard", None])
@pytest.mark.parametrize(
    "number",
    [1e39, -1e300, 10**39, Decimal("1e39"), Fraction(10**40, 3), np.longdouble("1e39")],
    ids=lambda number: type(number).__name__,
)
def test_a_number_that_is_infinite_as_float32_is_refused_with_row_and_column(number, scaling):
    encoder = DenseEncoder("n", scaling=scaling)
    match = r"at most 3.4e\+38 \(float32\). Received .*e\+\d+ in row 2, column 'b' \(1 such"
    table = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": objects(1, 2, number)})
    with pytest.raises(ModalityError, match=match) as raised:
        encoder.fit(table)
    assert raised.value.row == 2
    encoder.fit(table[:2])
    with pytest.raises(ModalityError, match=match):
        encoder.encode(table)


@pytest.mark.parametrize("number", [10**400, -(10**400), Fraction(10**400)], ids=["+", "-", "1/1"])
def test_a_number_that_is_too_large_for_a_float_is_refused_with_row_and_column(number):
    with pytest.raises(ModalityError, match=r"too large. Received .* in row 1, column 'a'") as info:
        raw(objects(1, number))
    assert info.value.row == 1
    with pytest.raises(ModalityError, match=r"too large. Received .* in row 1, position 2"):
        raw([[1, 2, 3], [1, 2, number]])


def test_the_largest_float32_is_a_number():
    np.testing.assert_array_equal(raw([LARGEST, -LARGEST]).ravel(), [LARGEST, -LARGEST])
    assert np.isfinite(DenseEncoder("n").fit([LARGEST, -LARGEST]).encode([LARGEST])).all()


def test_a_number_that_scaling_makes_infinite_is_refused():
    encoder = DenseEncoder("n", column=["a", "b"]).fit([[1, 0], [2, 1e-30]])
    match = r"\(float32\) after scaling. Received 2e\+60 in row 1, column 'b'.*a larger unit"
    with pytest.raises(ModalityError, match=match):
        encoder.encode([[1, 1e-30], [2, 1e30]])


# -- what is not a number --------------------------------------------------------------------------

DAY = datetime.date(2020, 1, 1)
TIMES = [
    np.datetime64("2020-01-01"),
    np.timedelta64(1, "D"),
    DAY,
    datetime.datetime(2020, 1, 1),
    datetime.time(12),
    datetime.timedelta(days=1),
    pd.Timestamp("2020-01-01", tz="UTC"),
    pd.Timedelta(1, "D"),
    pd.Period("2020-01"),
]


@pytest.mark.parametrize("time", TIMES, ids=lambda time: type(time).__name__)
@pytest.mark.parametrize(
    ("wrap", "place"),
    [
        (lambda time: [time, time], "row 0, position 0"),
        (lambda time: pd.Series([time, time], name="a"), "row 0, column 'a'"),
        (lambda time: objects(1, time), "row 1, column 'a'"),
        (lambda time: pd.DataFrame({"a": objects(1, 2), "b": [time, time]}), "row 0, column 'b'"),
        (lambda time: [[1, 2], [3, time]], "row 1, position 1"),
        (lambda time: objects([1, 2], [3, time]), "row 1, column 'a', position 1"),
        (lambda time: np.array([[time]], dtype=object), "row 0, position 0"),
    ],
    ids=["list", "series", "objects", "frame", "vectors", "series of vectors", "array"],
)
def test_dates_and_times_are_refused_with_row_and_column(time, wrap, place):
    match = rf"dates and times are not numbers. Received .* in {place}. Convert them .*\.dt\.days"
    with pytest.raises(ModalityError, match=match):
        raw(wrap(time))


@pytest.mark.parametrize(
    "values",
    [
        np.array(["2020-01-01", "2020-01-02"], dtype="M8[D]"),
        np.array([[1, 2]], dtype="m8[s]"),
        list(np.array([[1, 2]], dtype="M8[D]")),
        pd.date_range("2020", periods=2, tz="UTC"),
        pd.Series(pd.period_range("2020", periods=2, freq="D")),
        [np.array("2020-01-01", dtype="M8[D]")],
        [np.timedelta64(1, "D"), 5],
    ],
    ids=lambda values: type(values).__name__,
)
def test_arrays_of_dates_and_times_are_refused(values):
    with pytest.raises(ModalityError, match="dates and times are not numbers"):
        raw(values)


@pytest.mark.parametrize(
    ("value", "match"),
    [
        ("1", r"strings are not numbers. Received '1' in row 1, column 'a'.*pass decimal='.'"),
        (b"1", r"values of type bytes are not numbers. Received b'1' in row 1, column 'a'"),
        (bytearray(b"1"), r"values of type bytearray are not numbers.*row 1"),
        (1j, r"complex numbers have two parts. Received 1j in row 1, column 'a'. Use one column"),
        ({"x": 1}, r"values of type dict are not numbers.*row 1, column 'a'"),
        ({1, 2}, r"values of type set are not numbers.*row 1"),
        (iter([1.0]), r"values of type list_iterator are not numbers.*row 1"),
        ([1, "2"], r"strings are not numbers. Received '2' in row 1, column 'a', position 1"),
        ([1, 2], r"Received 2 numbers in row 1 and 1 in the rows before"),
        ([], r"Received 0 numbers in row 1"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else type(value).__name__,
)
def test_other_values_are_refused_with_row_and_column(value, match):
    with pytest.raises(ModalityError, match=match) as raised:
        raw(objects(1.5, value))
    assert raised.value.row == 1


@pytest.mark.parametrize("values", [[b"1", b"2"], np.array([1j, 2j]), np.array(["1", "2"])])
def test_arrays_of_other_values_are_refused(values):
    with pytest.raises(ModalityError, match="expects numbers, or vectors of equal length, but"):
        raw(values)


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({0: 1.5, 1: 2.5}, r"a dict, whose keys are not rows"),
        ({1.5, 2.5}, r"a set, whose rows have no order"),
        (iter([1.5]), r"a list_iterator, which can be read only once; pass list"),
        (1.5, "type float, which is not iterable"),
    ],
)
def test_values_without_rows_in_order_are_refused(values, match):
    with pytest.raises(ModalityError, match=match):
        raw(values)


def test_a_column_of_vectors_among_columns_of_numbers_is_refused():
    with pytest.raises(
        ModalityError, match=r"vectors of 2 numbers in column 'b'.*encoder of their"
    ):
        raw(pd.DataFrame({"a": [1, 2], "b": [[1, 2], [3, 4]]}))


# -- types of numbers ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [
        [True, False],
        [np.True_, 2, 0.5],
        [Fraction(1, 2), Decimal("2.5"), np.float16(3), np.uint8(4), 10**20],
        [np.array(1.5), np.array(2)],
        {"x": 1.5, "y": 2}.values(),
        range(3),
        pd.Index([1, 2]),
        np.ma.array([1.5, 2.5]),
    ],
    ids=repr,
)
def test_all_types_of_real_numbers_are_read_as_their_floats(values):
    expected = np.array([float(value) for value in values]).astype("float32")
    np.testing.assert_array_equal(raw(values).ravel(), expected)


NUMBERS = [3, 1, 2, 2]
VECTORS = [[1, 2], [3, 4], [5, 7]]


def nullable(dtype):
    return lambda values: pd.Series(pd.array(values, dtype=dtype), name="a")


def arrow(make_type):
    def make(values):
        pa = pytest.importorskip("pyarrow")
        dtype = pd.ArrowDtype(make_type(pa))
        return pd.Series(pd.array(values, dtype=dtype), name="a")

    return make


SCALARS = {
    **{dtype: nullable(dtype) for dtype in ("Int8", "UInt64", "Float32", "Float64")},
    "category": nullable("category"),
    "object": lambda values: objects(*values),
    "decimals": lambda values: objects(*[v if v is None else Decimal(v) for v in values]),
    **{
        f"Arrow {name}": arrow(lambda pa, name=name: getattr(pa, name)())
        for name in ("int8", "uint64", "float32", "float64")
    },
    "Arrow decimal": arrow(lambda pa: pa.decimal128(9, 2)),
    "Arrow dictionary": arrow(lambda pa: pa.dictionary(pa.int32(), pa.int64())),
}
BOOLEANS = {"boolean": nullable("boolean"), "Arrow bool": arrow(lambda pa: pa.bool_())}
LISTS = {
    "objects": lambda values: objects(*values),
    "arrays": lambda values: objects(*[v if v is None else np.array(v) for v in values]),
    "Arrow list": arrow(lambda pa: pa.list_(pa.float64())),
    "Arrow list of fixed size": arrow(lambda pa: pa.list_(pa.float32(), 2)),
    "Arrow large list": arrow(lambda pa: pa.large_list(pa.int16())),
}
COLUMNS = [
    *[pytest.param(make, NUMBERS, id=name) for name, make in SCALARS.items()],
    *[pytest.param(make, [True, False, False], id=name) for name, make in BOOLEANS.items()],
    *[pytest.param(make, VECTORS, id=name) for name, make in LISTS.items()],
]


@pytest.mark.parametrize(("make", "values"), COLUMNS)
def test_columns_of_pandas_types_have_the_features_of_numpy_columns(make, values):
    plain = np.array(values, dtype=float).reshape(len(values), -1)
    column = make(values)
    expected = DenseEncoder("n").fit(plain).encode(plain)
    np.testing.assert_array_equal(DenseEncoder("n").fit(column).encode(column), expected)
    if plain.shape[1] == 1:
        table = pd.DataFrame({"a": column, "b": column})
        np.testing.assert_array_equal(raw(table), np.hstack([plain, plain]))


@pytest.mark.parametrize(("make", "values"), COLUMNS)
def test_a_missing_value_of_pandas_types_is_handled_as_nan_is(make, values):
    column = make([*values, None])
    row = len(values)
    encoder = DenseEncoder("n", optional=True)
    assert encoder.find_missing(column).tolist() == [False] * row + [True]
    if isinstance(values[0], list):
        with pytest.raises(ModalityError, match=rf"nan in row {row}, column 'a'") as raised:
            raw(column)
        assert raised.value.row == row
        return
    expected = raw([*map(float, values), NAN])
    np.testing.assert_array_equal(raw(column), expected)
    table = pd.DataFrame({"a": column, "b": column})
    np.testing.assert_array_equal(raw(table), expected[:, [0, 0, 1, 1]])
    assert encoder.find_missing(table).tolist() == [False] * row + [True]


def test_converted_dtypes_have_the_numbers_of_float64():
    table = pd.DataFrame({"a": [1, None] * 9, "b": [1.5, None] * 9})
    np.testing.assert_array_equal(raw(table), raw(table.convert_dtypes()))


@pytest.mark.parametrize("nothing", [None, NAN, pd.NA, pd.NaT, np.ma.masked, Decimal("nan")])
def test_missing_values_of_all_kinds_are_missing(nothing):
    assert raw(objects(1.5, nothing)).tolist() == [[1.5, 0.0], [1.5, 1.0]]
    values = [[1, 2], [nothing, 3], [nothing, nothing], nothing]
    missing = DenseEncoder("n", optional=True).find_missing(values)
    assert missing.tolist() == [False, False, True, True]
    with pytest.raises(ModalityError, match=r"Received nan in row 1, position 0 \(5 such"):
        raw(values)


@pytest.mark.parametrize(
    "values",
    [
        np.ma.array([1.5, 2.5], mask=[0, 1]),
        np.ma.array([1, 2], mask=[0, 1]),
        list(np.ma.array([1.5, 2.5], mask=[0, 1])),
        [np.ma.array([1.5], mask=[0]), np.ma.array([2.5], mask=[1])],
    ],
    ids=["floats", "integers", "list", "vectors"],
)
def test_masked_numbers_are_missing(values):
    assert raw(values)[1].tolist() == [raw(values)[0, 0], 1.0]
    missing = DenseEncoder("n", optional=True).find_missing(values)
    assert missing.tolist() == [False, True]


@pytest.mark.parametrize(
    ("values", "missing"),
    [
        ([], []),
        ([[], [1.0]], [False, False]),
        ([(NAN, NAN), (NAN, 1)], [True, False]),
        (np.array([[NAN, NAN], [NAN, 1]]), [True, False]),
        (pd.Series(pd.arrays.SparseArray([NAN, 1.0])), [True, False]),
        (pd.DataFrame({"a": [None, 1], "b": [None, None]}), [True, False]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_rows_without_any_number_are_missing(values, missing):
    assert DenseEncoder("n", optional=True).find_missing(values).tolist() == missing
