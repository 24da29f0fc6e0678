"""`CategoryEncoder` compared with scikit-learn's `OneHotEncoder`."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import OneHotEncoder

from multimodal_ensemble import (
    CategoryEncoder,
    MultimodalDataset,
    MultimodalEnsemble,
    fit_encoders,
    fuse_encoders,
)
from multimodal_ensemble.encoders import DenseHead
from multimodal_ensemble.exceptions import ModalityError
from multimodal_ensemble.testing import check_encoder

TABLE = pd.DataFrame(
    {
        "country": ["FR", "US", None, "FR", "CA", "US", "FR"],
        "colour": [1, 0, 1, 1, 0, 0, 1],
        "rating": ["G", "G", "PG", "R", None, None, "G"],
    }
)


def draw_table(n_rows, n_categories, seed):
    """Return two columns of categories of different frequency, some of them missing."""
    rng = np.random.default_rng(seed)
    drawn = rng.geometric(0.2, size=(n_rows, 2)).clip(max=n_categories)
    table = pd.DataFrame({"a": [f"c{number}" for number in drawn[:, 0]], "b": drawn[:, 1]})
    return table.astype(object).mask(rng.random(table.shape) < 0.1)


@pytest.mark.parametrize("min_count", [1, 2, 5])
def test_categories_are_encoded_as_in_scikit_learn(min_count):
    train, other = draw_table(60, 12, seed=0), draw_table(40, 30, seed=1)
    # One missing value and one type per column are what scikit-learn can sort.
    texts = [table.where(table.notna(), "missing").astype(str) for table in (train, other)]
    oracle = OneHotEncoder(
        min_frequency=min_count, handle_unknown="infrequent_if_exist", sparse_output=False
    ).fit(texts[0])
    encoder = CategoryEncoder("x", column=["a", "b"], min_count=min_count).fit(train)
    order, start = [], 0
    for names, rare, known, has_rare in zip(
        oracle.categories_,
        oracle.infrequent_categories_,
        encoder.categories_,
        encoder.has_rare_,
        strict=True,
    ):
        frequent = [name for name in names if rare is None or name not in rare]
        texts_of_known = ["missing" if name is None else str(name) for name in known]
        assert sorted(texts_of_known) == sorted(frequent)
        assert has_rare == (rare is not None)
        places = [*texts_of_known, *(["rare"] if has_rare else [])]
        order += [start + [*frequent, "rare"].index(place) for place in places]
        start += len(places)
    for table, as_text in zip((train, other), texts, strict=True):
        encoded = encoder.encode(table)
        assert encoded.dtype == np.float32
        np.testing.assert_array_equal(encoded, oracle.transform(as_text)[:, order])


@pytest.mark.parametrize(
    "make",
    [
        list,
        tuple,
        np.array,
        pd.Series,
        lambda values: pd.Series(values, dtype="category"),
        lambda values: pd.Series(values, index=[3, 3, 1, 0, 2, 5]),
        lambda values: pd.DataFrame({"x": values}),
    ],
    ids=["list", "tuple", "array", "series", "category", "index", "frame"],
)
@pytest.mark.parametrize(
    "values",
    [["a", "b", "a", "c", "c", "a"], [3, 1, 1, 2, 2, 1], [True, False, True, True, True, False]],
    ids=["strings", "numbers", "booleans"],
)
def test_columns_of_all_kinds_have_the_same_ones(make, values):
    encoder = CategoryEncoder("x", min_count=1).fit(make(values))
    (known,) = encoder.categories_
    counts = [values.count(category) for category in known]
    assert counts == sorted(counts, reverse=True)
    expected = [[float(value == category) for category in known] for value in values]
    assert encoder.encode(make(values)).tolist() == expected


@pytest.mark.parametrize(
    ("train", "other", "same"),
    [
        ([1, 2, 1], [1.0, Decimal(2), np.int8(1)], [0, 1, 0]),
        ([1.0, np.nan, 2.0], pd.array([2, None, 1], dtype="Int64"), [1, 2, 0]),
        ([" a", "b"], ["b ", "a"], [1, 0]),
        (["e\u0301", "x"], ["\u00e9", "x"], [1, 0]),
        (["1", "2"], [1, 2.0], [0, 1]),
        ([1, 2], ["2.0", "1"], [1, 0]),
        (["2.0", "0.5"], [2, 0.5], [1, 0]),
        (["False", "True"], [True, False, "true"], [1, 0, 1]),
        (["01", "1.10", "1e3"], [1, 1.1, 1000, "01"], [None, None, None, 0]),
        ([None, "a"], [np.nan, pd.NA, pd.NaT], [1, 1, 1]),
        (np.ma.array(["a", "b"], mask=[0, 1]), ["a", None], [0, 1]),
    ],
    ids=(
        "numbers, missing, spaces, accent, whole numbers as text, text for numbers, "
        "decimals as text, booleans as text, codes, missing of all kinds, masked"
    ).split(", "),
)
def test_equal_categories_of_different_types_are_the_same(train, other, same):
    encoder = CategoryEncoder("x", min_count=1).fit(train)
    encoder.categories_ = [sorted(encoder.categories_[0], key=lambda c: (c is None, str(c)))]
    encoded = encoder.encode(other)
    expected = np.zeros(encoded.shape)
    for row, place in enumerate(same):
        if place is not None:
            expected[row, place] = 1
    np.testing.assert_array_equal(encoded, expected)


def test_one_category_in_two_forms_is_counted_once():
    encoder = CategoryEncoder("x", min_count=2).fit(["2", 2, "a", "2.0"])
    assert encoder.categories_ == [["2"]]
    assert encoder.encode([2, "a"]).tolist() == [[1, 0], [0, 1]]


def test_prepared_rows_are_sparse_and_encoded_like_the_whole():
    encoder = CategoryEncoder("x", column=list(TABLE)).fit(TABLE)
    prepared = encoder.prepare(TABLE)
    assert prepared.has_canonical_format
    np.testing.assert_array_equal(encoder.encode(prepared[[5, 0]]), encoder.encode(TABLE)[[5, 0]])


@pytest.mark.parametrize(
    ("options", "values"),
    [
        ({}, ["a", "b", "a", "c", "b"]),
        ({"column": list(TABLE), "head": DenseHead(3)}, TABLE),
        ({"min_count": 1, "optional": True}, [1, 2, 1, 3]),
    ],
    ids=["strings", "table", "numbers"],
)
def test_it_fulfils_the_contract(options, values):
    check_encoder(CategoryEncoder("x", **options), values)


def test_rows_that_lack_all_columns_lack_an_optional_modality():
    data = TABLE.assign(country=None, rating=[None, "G", None, "G", "R", "R", "G"])
    columns = ["country", "rating"]
    encoders = [CategoryEncoder("x", column=columns, optional=True), CategoryEncoder("colour")]
    dataset = MultimodalDataset(data, fit_encoders(encoders, data))
    assert dataset[0][0]["x_present"].ravel().tolist() == [0, 1, 0, 1, 1, 1, 1]
    # In all other rows, the country is one of the categories.
    assert encoders[0].categories_[0] == [None]
    assert dataset.encode_rows(np.arange(2))["x"].tolist() == [[0.0] * 3, [1.0, 1.0, 0.0]]


def test_the_kernel_of_the_head_has_one_vector_per_category():
    encoder = CategoryEncoder("x", column=list(TABLE), head=DenseHead(4, activation=None)).fit(
        TABLE
    )
    head = encoder.build_head()
    embedding = head(encoder.encode(TABLE.iloc[:1]))
    kernel, _ = head.get_weights()
    assert encoder.categories_ == [["FR", "US"], [1, 0], ["G", None]]
    np.testing.assert_allclose(embedding[0], kernel[0] + kernel[3] + kernel[5], rtol=1e-6)
    assert fuse_encoders([encoder], 2).output_shape == (None, 2)


@pytest.mark.parametrize(
    ("values", "match"),
    [
        (["a", ["b"]], r"Received \['b'\] of type list in row 1, column 'x'"),
        (["a", None, {"b": 1}], r"of type dict in row 2, column 'x'"),
        ([{"b"}, "a"], r"of type set in row 0"),
        (["a", float("inf")], r"finite numbers or booleans.*Received inf of type float in row 1"),
        (["a", b"a"], r"of type bytes in row 1"),
        (pd.to_datetime(["2020-01-01", None]), r"of type Timestamp in row 0"),
        (["a", np.timedelta64(1, "D")], r"of type timedelta64 in row 1"),
        ([1, 2j], r"of type complex in row 1"),
        (np.array([["a", "b"], ["c", "d"]]), r"of type ndarray in row 0"),
        (pd.DataFrame({"a": ["x", "y"], "b": ["x", ()]}), r"of type tuple in row 1, column 'b'"),
        ({"a": 1}, r"'x' expects one category per row. Received a dict, whose keys are not rows"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else None,
)
@pytest.mark.parametrize("is_fitted", [False, True])
def test_other_values_are_refused_with_their_row_and_column(values, match, is_fitted):
    encoder = CategoryEncoder("x", min_count=1)
    if is_fitted:
        named = isinstance(values, pd.DataFrame)
        encoder.fit(pd.DataFrame({"a": ["x"], "b": ["y"]}) if named else ["x"])
    with pytest.raises(ModalityError, match=match) as raised:
        (encoder.encode if is_fitted else encoder.fit)(values)
    assert raised.value.row is None or f"row {raised.value.row}" in str(raised.value)


@pytest.mark.parametrize("values", [["a", "b", "c"], [], pd.DataFrame({"a": [1, 2], "b": [3, 4]})])
def test_columns_of_rare_categories_only_are_refused(values):
    match = rf"'x' has no category left: .* min_count=2 of the {len(values)} training rows"
    with pytest.raises(ModalityError, match=match):
        CategoryEncoder("x").fit(values)


@pytest.mark.parametrize("values", [TABLE[["colour", "country", "rating"]], ["FR", "US"]])
def test_other_columns_than_in_training_are_refused(values):
    encoder = CategoryEncoder("x", column=list(TABLE)).fit(TABLE)
    with pytest.raises(ModalityError, match=r"columns \['country', 'colour', 'rating'\]. Received"):
        encoder.encode(values)


@pytest.mark.parametrize("min_count", [0, 1.5, True, "2"])
def test_an_invalid_min_count_is_refused(min_count):
    with pytest.raises(ValueError, match="min_count must be a whole number of at least 1"):
        CategoryEncoder("x", min_count=min_count)


def test_an_ensemble_of_categories_finds_interactions_and_can_be_saved(tmp_path):
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"a": rng.choice(["x", "y"], 200), "b": rng.choice([1, 2, 3], 200)})
    y = np.stack([(data["a"] == "x") ^ (data["b"] == 1), data["b"] == 2], axis=1).astype(int)
    encoders = [CategoryEncoder("c", column=["a", "b"])]
    ensemble = MultimodalEnsemble(encoders, random_state=0, verbose=0).fit(data[:150], y[:150])
    assert ensemble.evaluate(data[150:], y[150:]).mean_accuracy == 1
    ensemble.save(tmp_path / "ensemble.mme")
    loaded = MultimodalEnsemble.load(tmp_path / "ensemble.mme")
    unseen = pd.DataFrame({"a": ["z", None], "b": [1, None]})
    np.testing.assert_array_equal(loaded.predict_proba(unseen), ensemble.predict_proba(unseen))
