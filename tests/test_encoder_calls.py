"""The results of the methods of an encoder of one's own are checked where they are used."""

import numpy as np
import pandas as pd
import pytest

from multimodal_ensemble import Encoder
from multimodal_ensemble._encoder_calls import (
    checked_additive_parts,
    checked_digests,
    checked_encode,
    checked_lengths,
    checked_prepare,
    checked_without_each_part,
)
from multimodal_ensemble.encoders import fit_encoders
from multimodal_ensemble.exceptions import ModalityError

VALUES = [[1.0, 2.0], [3.0, 4.0]]
CENTRE = np.zeros(2)


class PairEncoder(Encoder):
    """Pairs of numbers; each method returns what a test wants."""

    input_shape = (2,)

    def __init__(self, name, **results):
        super().__init__(name)
        self.results = results

    def _result(self, method, default):
        result = self.results.get(method, default)
        if isinstance(result, Exception):
            raise result
        return result

    def fit(self, values):
        return self._result("fit", self)

    def prepare(self, values):
        return self._result("prepare", np.array(list(values)))

    def encode(self, values):
        return self._result("encode", np.array(list(values)))

    def content_digests(self, values):
        return self._result("content_digests", [b"a", b"b"])

    def lengths(self, values):
        return self._result("lengths", [1, 1])

    def additive_parts(self, values, centre):
        return self._result("additive_parts", None)

    def without_each_part(self, value):
        return self._result("without_each_part", None)


@pytest.mark.parametrize(
    ("prepared", "received"),
    [
        (None, "an object of type NoneType"),
        ([[1.0, 2.0], [3.0, 4.0]], "an object of type list"),
        (pd.DataFrame(VALUES), r"an object of type DataFrame of shape \(2, 2\)"),
        (pd.Series([1, 2]), r"an object of type Series of shape \(2,\)"),
        (np.zeros((1, 2)), r"an object of type ndarray of shape \(1, 2\)"),
        (np.zeros(()), r"an object of type ndarray of shape \(\)"),
    ],
)
def test_what_prepare_returns(prepared, received):
    encoder = PairEncoder("pair", prepare=prepared)
    match = (
        r"For 2 values, prepare of modality 'pair' must return an array, or another object with a "
        rf"shape.* Received {received}. Correct PairEncoder.prepare, and test it"
    )
    with pytest.raises(ModalityError, match=match):
        checked_prepare(encoder, VALUES)


@pytest.mark.parametrize(
    ("check", "method", "result"),
    [
        (checked_digests, "content_digests", [b"a"]),
        (checked_lengths, "lengths", [1, 1, 1]),
        (checked_lengths, "lengths", 1),
    ],
)
def test_one_result_is_needed_for_each_value(check, method, result):
    match = rf"{method} of modality 'pair' returned \d for 2 values. It must return one for each"
    with pytest.raises(ModalityError, match=match):
        check(PairEncoder("pair", **{method: result}), np.array(VALUES))


@pytest.mark.parametrize(
    ("result", "found"),
    [
        ("ab", "no pair and an object of type str"),
        ((["a"], [VALUES[0]], 3), "no pair and a tuple of length 3"),
        (("a", [VALUES[0]]), "an object of type str and a list of length 1"),
        ((None, [VALUES[0]]), "no pair and a list of length 1"),
        (([1], [VALUES[0]]), "a list of length 1 with items of type int and a list of length 1"),
        ((["a", "b"], [VALUES[0]]), "a list of length 2 and a list of length 1"),
        ((["a"], 5), "a list of length 1 and an object of type int"),
    ],
)
def test_what_without_each_part_returns(result, found):
    encoder = PairEncoder("pair", without_each_part=result)
    match = rf"without_each_part of modality 'pair' must return .*Row 7 has {found}"
    with pytest.raises(ModalityError, match=match) as info:
        checked_without_each_part(encoder, VALUES[0], row=7)
    assert info.value.row == 7


@pytest.mark.parametrize(
    ("part", "found"),
    [
        ((["a"], np.zeros((2, 2))), r"a list of length 1 and an array of shape \(2, 2\)"),
        (([None], np.zeros((1, 2))), r"items of type NoneType and an array of shape \(1, 2\)"),
        (3, "no pair and an object of type int"),
    ],
)
def test_what_additive_parts_returns(part, found):
    split = [(["a"], np.zeros((1, 2))), part]
    encoder = PairEncoder("pair", additive_parts=split)
    match = rf"a list of names.* array of shape \(n_names, 2\). Row 4 has .*{found}. Correct"
    with pytest.raises(ModalityError, match=match) as info:
        checked_additive_parts(encoder, VALUES, CENTRE, np.array([3, 4]))
    assert info.value.row == 4


def test_additive_parts_of_too_few_values():
    encoder = PairEncoder("pair", additive_parts=[])
    with pytest.raises(ModalityError, match="additive_parts of modality 'pair' returned 0 for 2"):
        checked_additive_parts(encoder, VALUES, CENTRE, np.array([0, 1]))


@pytest.mark.parametrize("method", ["fit", "prepare", "encode", "content_digests", "lengths"])
def test_an_error_of_a_method_names_the_modality(method):
    error = KeyError("beak")
    encoder = PairEncoder("pair", **{method: error})
    call = {
        "fit": lambda: fit_encoders([encoder], {"pair": VALUES}),
        "prepare": lambda: checked_prepare(encoder, VALUES),
        "encode": lambda: checked_encode(encoder, np.array(VALUES)),
        "content_digests": lambda: checked_digests(encoder, np.array(VALUES)),
        "lengths": lambda: checked_lengths(encoder, np.array(VALUES)),
    }[method]
    with pytest.raises(KeyError) as info:
        call()
    assert info.value.__notes__ == [f"Raised by PairEncoder.{method} of modality 'pair'."]


def test_an_error_that_names_the_modality_gets_no_note():
    encoder = PairEncoder("pair", encode=ModalityError("of modality 'pair'"))
    with pytest.raises(ModalityError) as info:
        checked_encode(encoder, np.array(VALUES))
    assert not hasattr(info.value, "__notes__")
