"""`DateEncoder` compared with the calendar of pandas."""

import datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from multimodal_ensemble import DateEncoder, MultimodalEnsemble, fit_encoders
from multimodal_ensemble.exceptions import ModalityError
from multimodal_ensemble.testing import check_encoder

TEXTS = ["2021-03-01", "1999-12-31", "2004-02-29", "2021-07-17", "1960-01-05"]
ALL = ["year", "month", "weekday", "hour", "age"]


def encode(values, **options):
    return DateEncoder("released", **options).fit(values).encode(values)


# The lowest pandas counts nanoseconds, and their differences end after 292 years.
YEARS = datetime.datetime(1850, 1, 1), datetime.datetime(2100, 1, 1)


@given(st.lists(st.datetimes(*YEARS), min_size=2, max_size=20))
@settings(deadline=None, max_examples=50)
def test_plain_numbers_are_those_of_pandas(dates):
    index = pd.DatetimeIndex(dates).floor("s")
    encoder = DateEncoder("x", parts=ALL, cyclic=False).fit(dates)
    age = (index.max() - index) / pd.Timedelta(days=365.2425)
    expected = np.column_stack(
        [
            index.year,
            index.month - 1,
            index.day_of_week,
            (index - index.floor("D")) / pd.Timedelta(hours=1),
            age,
        ]
    )
    numbers = encoder.encode(dates) * encoder.scale_ + encoder.mean_
    np.testing.assert_allclose(numbers, expected, rtol=1e-5, atol=2e-3)
    assert encoder.reference_ == index.max().isoformat()


def test_numbers_are_scaled_and_circles_close():
    encoded = encode(TEXTS)
    assert encoded.dtype == np.float32
    np.testing.assert_allclose(encoded.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(encoded.std(axis=0), 1, atol=1e-6)
    year = [f"2021-{month:02}-01" for month in range(1, 13)]
    encoder = DateEncoder("x", parts=["month"]).fit(year)
    months = encoder.encode(["2021-12-01", "2021-01-01", "2021-02-01", "2021-07-01"])
    gaps = np.linalg.norm(np.diff(months, axis=0), axis=1)
    np.testing.assert_allclose(gaps[0], gaps[1], rtol=1e-5)
    assert gaps[2] > 3 * gaps[1]


@pytest.mark.parametrize(
    "make",
    [
        list,
        np.array,
        pd.Series,
        lambda texts: pd.Series(texts, dtype="category"),
        lambda texts: np.array(texts, dtype="datetime64[D]"),
        pd.DatetimeIndex,
        lambda texts: pd.Series(pd.DatetimeIndex(texts, tz="UTC")),
        lambda texts: [datetime.date.fromisoformat(text) for text in texts],
        lambda texts: [datetime.datetime.fromisoformat(text) for text in texts],
        lambda texts: pd.PeriodIndex(texts, freq="D"),
        lambda texts: pd.array(texts, dtype="string"),
        lambda texts: pd.Series(pd.DatetimeIndex(texts)).astype("timestamp[us][pyarrow]"),
        lambda texts: pd.Series([datetime.date.fromisoformat(t) for t in texts]).astype(
            "date32[day][pyarrow]"
        ),
    ],
)
def test_all_types_of_dates_are_encoded_alike(make):
    np.testing.assert_array_equal(encode(make(TEXTS)), encode(TEXTS))


def test_formats_and_time_zones():
    expected = encode(["2021-03-01T08:30", "2020-12-31T22:00"], parts=ALL)
    zoned = ["2021-03-01T09:30+01:00", "2020-12-31T17:00:00-05:00"]
    np.testing.assert_array_equal(encode(zoned, parts=ALL), expected)
    aware = [datetime.datetime.fromisoformat(text) for text in zoned]
    np.testing.assert_array_equal(encode(aware, parts=ALL), expected)
    texts = ["1/3/2021  08:30", "31/12/2020 22:00"]
    np.testing.assert_array_equal(encode(texts, parts=ALL, format="%d/%m/%Y %H:%M"), expected)


@pytest.mark.parametrize("nothing", [None, float("nan"), pd.NaT, pd.NA, "", " n/a "])
def test_a_missing_date_is_the_mean_with_an_indicator(nothing):
    encoder = DateEncoder("released").fit([*TEXTS, nothing])
    encoded = encoder.encode([nothing, *TEXTS])
    assert encoder.input_shape == (7,)
    assert encoded[0].tolist() == [0] * 6 + [1]
    np.testing.assert_allclose(encoded[1:, :-1], encode(TEXTS), atol=1e-6)
    assert not encoded[1:, -1].any()
    encoder = DateEncoder("released").fit(TEXTS)
    assert encoder.encode([nothing]).tolist() == [[0] * 6]
    assert encoder.find_missing([nothing, TEXTS[0]]).tolist() == [True, False]


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ([*TEXTS, "soon"], r"in the format 'ISO8601'. Received 'soon' in row 5 \(1 such values"),
        ([*TEXTS, "now"], "Received 'now' in row 5"),
        (["2021-02-30"], "Received '2021-02-30' in row 0"),
        ([*TEXTS, 20210301], "Received 20210301 of type int in row 5. Convert numbers"),
        ([[1]], "of type list in row 0"),
        (["", None], "no date in any of the 2 training rows"),
        (iter(TEXTS), "can be read only once"),
        (5, "Received 5"),
    ],
    ids=range(8),
)
def test_values_that_are_no_dates_are_refused(values, match):
    with pytest.raises(ModalityError, match=match):
        DateEncoder("released").fit(values)


def test_strings_that_are_no_dates_may_count_as_missing():
    encoder = DateEncoder("released", on_error="missing", optional=True)
    with pytest.warns(UserWarning, match=r"1 of 6 values are no dates in .* 'soon' in row 5"):
        missing = encoder.find_missing([*TEXTS, "soon"])
    assert missing.tolist() == [False] * 5 + [True]
    with pytest.warns(UserWarning, match="count as missing"):
        fit_encoders([encoder], {"released": [*TEXTS, "soon"]})
    assert encoder.has_missing_ is False


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"parts": []}, "distinct names, at least one"),
        ({"parts": "year"}, "distinct names"),
        ({"parts": ["year", "year"]}, "distinct names"),
        ({"parts": ["day"]}, "must be one of 'year', 'month', 'weekday', 'hour', 'age'"),
        ({"cyclic": 2}, "cyclic"),
        ({"format": "d/m/y"}, "must be 'ISO8601' or like '%d/%m/%Y'"),
        ({"on_error": "drop"}, "on_error must be one of 'raise', 'missing'"),
        ({"column": ["a", "b"]}, "reads one column"),
    ],
    ids=str,
)
def test_options_are_checked(options, match):
    with pytest.raises(ValueError, match=match):
        DateEncoder("released", **options)


def test_the_contract_of_encoders():
    check_encoder(DateEncoder("released"), [*TEXTS, None])
    check_encoder(DateEncoder("released", optional=True, parts=ALL, cyclic=False), [*TEXTS, None])


def test_parts_of_a_date_are_explained_and_saved(tmp_path):
    dates = pd.date_range("2000-01-01", periods=40, freq="17D").astype(str).tolist()
    data = pd.DataFrame({"released": [*dates[:-1], None]})
    y = pd.DataFrame({"late": np.arange(40) >= 20})
    ensemble = MultimodalEnsemble([DateEncoder("released")], verbose=0).fit(data, y)
    encoder = ensemble.encoders_[0]
    (names, parts), *_ = encoder.additive_parts(dates[:1], np.zeros(7))
    parts_of_date = ("year", "month", "weekday", "age", "missing")
    assert names == [f"released ({part})" for part in parts_of_date]
    np.testing.assert_allclose(parts.sum(axis=0), encoder.encode(dates[:1])[0], rtol=1e-6)
    ensemble.save(tmp_path / "model")
    loaded = MultimodalEnsemble.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict_proba(data), ensemble.predict_proba(data))
    assert loaded.encoders_[0].reference_ == encoder.reference_
