"""What `preprocess.py` makes of single values, beside the encoders of the library."""

import numpy as np
import pandas as pd
import pytest

from multimodal_ensemble import BagOfWordsEncoder, CategoryEncoder, DenseEncoder
from multimodal_ensemble.estimators._export import _describe_encoder
from multimodal_ensemble.estimators._preprocess import make_inputs


def describe(encoder):
    shape = {"shape": [None, *encoder.input_shape], "dtype": encoder.input_dtype}
    return {"inputs": {encoder.name: shape | _describe_encoder(encoder)}}


def check_same(encoder, values):
    made = make_inputs(describe(encoder), [{encoder.name: value} for value in values])
    np.testing.assert_allclose(made[encoder.name], encoder.encode(values), rtol=1e-6)


@pytest.mark.parametrize(
    "train", [["True", "False", "True"], ["2.0", "1", "01", None], [1, 2.5, 2], ["a", "b", "1.10"]]
)
def test_categories_are_compared_as_in_the_library(train):
    encoder = CategoryEncoder("x", min_count=1).fit(train)
    values = [True, "true", "False", 1, "1.0", 2, "2", "01", 1.1, "1.10", 2.5, "2.5", "nan", ""]
    check_same(encoder, [*values, None, np.float32("nan"), pd.NA])


def test_missing_numbers_are_those_of_the_library():
    encoder = DenseEncoder("x").fit([1.0, 2.0, None])
    check_same(encoder, [3, 0.5, None, np.float32("nan"), float("nan"), pd.NA])


@pytest.mark.parametrize("value", [float("inf"), 1e39])
def test_numbers_beyond_float32_are_refused(value):
    encoder = DenseEncoder("x").fit([1.0, 2.0])
    with pytest.raises(ValueError, match=r"Row 0 .*: a number is infinite or beyond float32"):
        make_inputs(describe(encoder), [{"x": value}])


def test_a_text_in_place_of_a_list_of_tags_is_refused():
    encoder = BagOfWordsEncoder("x").fit([["a"], ["b", "a"]])
    with pytest.raises(ValueError, match="a list of tags is needed in place of the text 'a b'"):
        make_inputs(describe(encoder), [{"x": ["a"]}, {"x": "a b"}])


def test_an_absent_column_is_refused():
    encoder = DenseEncoder("x").fit([1.0, None])
    with pytest.raises(ValueError, match=r"Row 1 has no value for \['x'\]"):
        make_inputs(describe(encoder), [{"x": None}, {"y": 1}])
