"""Features kept in float16 have 11 significant bits at any scale."""

import keras
import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from multimodal_ensemble import FeatureStore, ImageEncoder
from multimodal_ensemble._half_precision import from_half, to_half

# Values around the limits of float32 and float16, besides those that hypothesis tries.
SIZES = [0.0, -0.0, 1e-45, 1e-40, 1.2e-38, 1e-30, 6e-8, 6.1e-5, 1.0, 65504.0, 65520.0, 1e30, 3.4e38]
numbers = st.floats(-(2.0**127), 2.0**127, width=32) | st.builds(
    lambda size, sign: np.float32(sign * size), st.sampled_from(SIZES), st.sampled_from([-1, 1])
)
shapes = st.one_of(
    array_shapes(min_dims=2, max_dims=2, max_side=8),
    array_shapes(min_dims=4, max_dims=4, max_side=3),
    st.tuples(st.integers(1, 4), st.just(0)),
)
rows_of_numbers = shapes.flatmap(lambda shape: arrays(np.float32, shape, elements=numbers))


@given(rows_of_numbers)
def test_each_value_keeps_11_significant_bits(features):
    back = from_half(*to_half(features))
    assert back.dtype == np.float32
    assert back.shape == features.shape
    exact = features.reshape(len(features), -1).astype("float64")
    error = np.abs(back.reshape(exact.shape) - exact)
    size = np.abs(exact)
    top = size.max(axis=1, initial=0, keepdims=True)
    # Float16 has a step of 2**-24 at its lower end, and the largest value is at least 2**14.
    assert (error <= np.maximum(2.0**-11 * size, 2.0**-39 * top)).all()
    large = size >= 1e-8 * top
    assert (error[large] <= 2.0**-11 * size[large]).all()


@given(rows_of_numbers)
def test_zeros_and_signs_are_preserved(features):
    back = from_half(*to_half(features))
    assert (back[features == 0] == 0).all()
    assert (back * np.sign(features) >= 0).all()


@given(rows_of_numbers)
def test_a_row_does_not_depend_on_the_other_rows(features):
    half, exponents = to_half(features)
    assert half.dtype == np.float16
    assert exponents.shape == (len(features),)
    for row in range(len(features)):
        alone, exponent = to_half(features[[row]])
        np.testing.assert_array_equal(alone[0], half[row])
        assert exponent[0] == exponents[row]


@pytest.mark.parametrize("factor", [1e-30, 1e-6, 1, 1e9, 1e30])
def test_a_store_keeps_small_and_large_features(tmp_path, make_network, posters, factor):
    network = make_network()
    network.layers[-1].set_weights([w * np.float32(factor) for w in network.get_weights()])
    encoder = ImageEncoder("poster", backbone=network)
    exact = FeatureStore(tmp_path / "exact", dtype="float32")
    expected = exact.get_features(encoder, posters, verbose=0)
    store = FeatureStore(tmp_path / "store")
    for _ in range(2):
        features = store.get_features(encoder, posters, verbose=0)
        assert features.dtype == np.float32
        np.testing.assert_allclose(features, expected, rtol=2**-11, atol=0)


def test_stored_features_do_not_depend_on_the_batch(tmp_path, make_encoder, posters):
    encoder = make_encoder()
    one, other = (FeatureStore(tmp_path / name) for name in "ab")
    together = one.get_features(encoder, posters, verbose=0)
    for poster in posters:
        other.get_features(encoder, [poster], verbose=0)
    np.testing.assert_allclose(other.get_features(encoder, posters), together, rtol=2**-10)


def test_stores_of_both_precisions_share_a_folder_but_no_entries(
    tmp_path, make_encoder, posters, compute
):
    encoder = make_encoder()
    half = FeatureStore(tmp_path / "store")
    single = FeatureStore(tmp_path / "store", dtype="float32")
    half.get_features(encoder, posters, verbose=0)
    assert single.count_uncomputed(encoder, posters) == len(posters)
    exact = single.get_features(encoder, posters, verbose=0)
    np.testing.assert_allclose(exact, compute(encoder, posters), rtol=1e-5)
    assert sorted(entry.dtype for entry in half.entries()) == ["float16", "float32"]
    assert not np.array_equal(half.get_features(encoder, posters, verbose=0), exact)


def test_half_precision_takes_two_bytes_per_feature(tmp_path):
    network = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(256, 3)])
    encoder = ImageEncoder("poster", backbone=network)
    rng = np.random.default_rng(0)
    images = list(rng.integers(0, 256, (300, 8, 8, 3)).astype("uint8"))
    store = FeatureStore(tmp_path / "store")
    store.get_features(encoder, images, verbose=0)
    n_bytes = sum(path.stat().st_size for path in store.folder.glob("*/*.shard"))
    assert n_bytes <= 1.1 * 2 * 300 * 256


@pytest.mark.parametrize("dtype", ["float64", "bfloat16", None, np.float16])
def test_other_precisions_are_refused(tmp_path, dtype):
    with pytest.raises(ValueError, match="dtype must be one of 'float16', 'float32'"):
        FeatureStore(tmp_path / "store", dtype=dtype)
    assert not (tmp_path / "store").exists()
