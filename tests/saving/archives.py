"""An archive's content, and exact comparisons, for the tests of files."""

import math

import numpy as np

from multimodal_ensemble.saving import read_archive

DOCUMENT = {
    "format": "test",
    "format_version": 1,
    "library_version": "9.9",
    "names": ["é", "\ud800"],
}
ARRAYS = {
    "b/bools": np.array([[True, False], [False, True]]),
    "a": np.arange(6, dtype="float32").reshape(2, 3),
    "model/0.kernel-1": np.arange(3, dtype=">i8"),
    "scalar": np.array(2.5),
    "none": np.zeros((0, 4), dtype="uint8"),
}


def read(path, max_version=1):
    document, arrays = read_archive(path, format_name="test", max_version=max_version)
    with arrays:
        return document, {name: arrays[name] for name in arrays}


def names_in(folder):
    return [path.name for path in folder.iterdir()]


def assert_same(left, right):
    assert type(left) is type(right)
    if isinstance(left, (np.ndarray, np.generic)):
        assert left.dtype == right.dtype
        assert left.shape == right.shape
        if left.dtype == object:
            assert [type(item) for item in left.flat] == [type(item) for item in right.flat]
        np.testing.assert_array_equal(left, right)
    elif isinstance(left, dict):
        assert list(left) == list(right)
        for key in left:
            assert_same(left[key], right[key])
    elif isinstance(left, (list, tuple)):
        assert len(left) == len(right)
        for one, other in zip(left, right, strict=True):
            assert_same(one, other)
    elif isinstance(left, float):
        assert math.isnan(left) == math.isnan(right)
        assert math.isnan(left) or (left, math.copysign(1, left)) == (
            right,
            math.copysign(1, right),
        )
    else:
        assert left == right
