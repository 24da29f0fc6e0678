"""Features in bfloat16: nearly those in float32, in an entry of their own, after a check."""

import keras
import numpy as np
import pandas as pd
import pytest

from multimodal_ensemble import FeatureStore
from multimodal_ensemble.encoders import ImageEncoder
from multimodal_ensemble.features import _choose_dtype, _compute_dtype
from multimodal_ensemble.features._compute_dtype import in_bfloat16, lowest_cosine


@pytest.fixture
def fast(monkeypatch):
    """A processor that multiplies bfloat16, and checks of a few rows."""
    monkeypatch.setattr(_choose_dtype, "is_bfloat16_fast", lambda: True)
    monkeypatch.setattr(_choose_dtype, "LEAST_ROWS", 6)


def cosines(one, other):
    norms = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return (one * other).sum(axis=1) / norms


def dtypes_of(store):
    return sorted(entry.compute_dtype for entry in store.entries())


@pytest.mark.slow
def test_features_in_bfloat16_are_nearly_those_in_float32(tmp_path, posters):
    """A copy of the network by other means: Keras's own policy for all layers."""
    network = keras.applications.MobileNet(
        include_top=False, weights=None, input_shape=(32, 32, 3), pooling="avg"
    )
    encoder = ImageEncoder("poster", column="path", backbone=network, preprocessing="unit")
    exact, rounded = (
        FeatureStore(tmp_path / "store", compute_dtype=dtype).get_features(
            encoder, posters, verbose=0
        )
        for dtype in ("float32", "bfloat16")
    )
    assert not np.array_equal(exact, rounded)
    assert cosines(exact, rounded).min() > 0.99
    assert dtypes_of(FeatureStore(tmp_path / "store")) == ["bfloat16", "float32"]
    encoded = encoder.encode(posters)
    np.testing.assert_allclose(
        lowest_cosine(encoder.frozen_part(), encoded), cosines(exact, rounded).min(), atol=1e-4
    )


def test_only_layers_between_the_first_and_the_last_weights_are_copied_in_bfloat16():
    start = keras.Input((6, 6, 2))
    maps = keras.layers.Conv2D(4, 3, activation="relu")(start)
    inner = keras.Model(start, keras.layers.ReLU()(keras.layers.Conv2D(2, 3)(maps)))
    inputs = keras.Input((6, 6, 2))
    scaled = keras.layers.Rescaling(1 / 255)(inputs)
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(inner(scaled)))
    copy = in_bfloat16(model)
    scaling, nested, pooling = copy.layers[1:]
    assert scaling.dtype_policy.name == pooling.dtype_policy.name == "float32"
    named = [(type(layer).__name__, layer.dtype_policy.name) for layer in nested.layers[1:]]
    assert named == [("Conv2D", "bfloat16"), ("Conv2D", "bfloat16"), ("ReLU", "float32")]
    assert {weight.dtype for weight in copy.weights} == {"bfloat16"}
    assert in_bfloat16(model) is copy
    # Another copy once the weights have changed.
    model.set_weights([2 * weight for weight in model.get_weights()])
    assert in_bfloat16(model) is not copy


@pytest.mark.usefixtures("fast")
def test_auto_takes_bfloat16_for_many_rows_that_hardly_change(
    tmp_path, make_encoder, posters, capsys
):
    encoder = make_encoder()
    store = FeatureStore(tmp_path / "store")
    # A few rows do not decide.
    store.get_features(encoder, posters[:3], verbose=0)
    assert dtypes_of(store) == ["float32"]
    features = store.get_features(encoder, posters)
    assert dtypes_of(store) == ["bfloat16", "float32"]
    printed = capsys.readouterr().out
    assert "computes in bfloat16: the features of 7 images have a cosine of at least" in printed
    assert "in bfloat16\n" in printed
    given = FeatureStore(tmp_path / "given", compute_dtype="bfloat16")
    np.testing.assert_array_equal(features, given.get_features(encoder, posters, verbose=0))
    # Further rows, few or known, come from the same entry, and need no check.
    again = FeatureStore(tmp_path / "store")
    assert again.count_uncomputed(encoder, posters) == 0
    np.testing.assert_array_equal(again.get_features(encoder, posters[3:5]), features[3:5])
    assert "computes in" not in capsys.readouterr().out


@pytest.mark.usefixtures("fast")
def test_auto_keeps_float32_where_features_change(
    tmp_path, make_encoder, posters, monkeypatch, capsys
):
    monkeypatch.setattr(_choose_dtype, "LEAST_COSINE", 1.1)
    encoder = make_encoder()
    store = FeatureStore(tmp_path / "store")
    features = store.get_features(encoder, posters)
    assert "computes in float32: the features of 8 images have a cosine of less than" in (
        capsys.readouterr().out
    )
    exact = FeatureStore(tmp_path / "exact", compute_dtype="float32")
    np.testing.assert_array_equal(features, exact.get_features(encoder, posters, verbose=0))
    # The entry is continued as it was begun, without another check.
    monkeypatch.setattr(_choose_dtype, "LEAST_COSINE", 0.9)
    store.get_features(encoder, [*posters, np.zeros((9, 9, 3), np.uint8)])
    assert dtypes_of(store) == ["float32"]
    assert "computes in" not in capsys.readouterr().out


@pytest.mark.usefixtures("fast")
def test_auto_keeps_float32_where_a_layer_cannot_be_copied(
    tmp_path, make_encoder, posters, monkeypatch, capsys
):
    def refuse(model, encoded):
        msg = "no configuration"
        raise TypeError(msg)

    monkeypatch.setattr(_choose_dtype, "lowest_cosine", refuse)
    store = FeatureStore(tmp_path / "store")
    store.get_features(make_encoder(), posters)
    assert dtypes_of(store) == ["float32"]
    assert "a layer cannot be copied (no configuration)" in capsys.readouterr().out


@pytest.mark.usefixtures("fast")
def test_auto_checks_no_network_with_depthwise_convolutions(
    tmp_path, make_encoder, posters, monkeypatch, capsys
):
    """They gain too little. What was computed in bfloat16 on request is used nevertheless."""
    # Any check would pass.
    monkeypatch.setattr(_choose_dtype, "LEAST_COSINE", -1)
    inputs = keras.Input((8, 8, 3))
    maps = keras.layers.DepthwiseConv2D(3)(inputs)
    inner = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(maps))
    encoder = make_encoder(network=inner)
    store = FeatureStore(tmp_path / "store")
    store.get_features(encoder, posters)
    assert dtypes_of(store) == ["float32"]
    assert "computes in" not in capsys.readouterr().out
    known = FeatureStore(tmp_path / "known", compute_dtype="bfloat16")
    known.get_features(encoder, posters, verbose=0)
    assert FeatureStore(tmp_path / "known").count_uncomputed(encoder, posters) == 0


@pytest.mark.usefixtures("fast")
def test_networks_of_both_dtypes_are_computed_together(tmp_path, make_encoder, posters):
    """Two encoders of one network share its check; one of another network has its own."""
    encoders = [make_encoder("a", column="path"), make_encoder("b", seed=2, column="path")]
    encoders.append(make_encoder("c", pooling="max", column="path"))
    table = pd.DataFrame({"path": posters})
    plain = FeatureStore(tmp_path / "plain", compute_dtype="bfloat16")
    store = FeatureStore(tmp_path / "store")
    expected = plain.load_features(encoders, table, verbose=0)
    features = store.load_features(encoders, table, verbose=0)
    for name, values in expected.items():
        np.testing.assert_allclose(features[name], values, rtol=2**-7)
    assert store.compute_features(encoders, table, verbose=0) == 0


def test_without_such_a_processor_auto_is_float32(tmp_path, make_encoder, posters, monkeypatch):
    monkeypatch.setattr(_choose_dtype, "is_bfloat16_fast", lambda: False)
    monkeypatch.setattr(_choose_dtype, "LEAST_ROWS", 6)
    store = FeatureStore(tmp_path / "store")
    store.get_features(make_encoder(), posters, verbose=0)
    assert dtypes_of(store) == ["float32"]


@pytest.mark.parametrize(
    ("system", "environment", "flags", "gpus", "is_fast"),
    [
        ("Linux", {}, "fpu avx512_bf16", False, True),
        ("Linux", {}, "fpu amx_bf16", False, True),
        ("Linux", {}, "fpu avx512f", False, False),
        ("Linux", {"TF_ENABLE_ONEDNN_OPTS": "0"}, "fpu avx512_bf16", False, False),
        ("Linux", {}, "fpu avx512_bf16", True, False),
        ("Darwin", {}, "fpu avx512_bf16", False, False),
    ],
)
def test_which_processors_are_fast(monkeypatch, system, environment, flags, gpus, is_fast):
    monkeypatch.setattr(_compute_dtype.platform, "system", lambda: system)
    monkeypatch.setattr(_compute_dtype.Path, "read_text", lambda *args, **kwargs: flags)
    monkeypatch.setattr(_compute_dtype, "has_gpu", lambda: gpus)
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert _compute_dtype.is_bfloat16_fast.__wrapped__() is is_fast


def test_unknown_dtypes_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"compute_dtype must be one of 'auto'.*'float16'"):
        FeatureStore(tmp_path / "store", compute_dtype="float16")


def test_rows_of_zeros_are_equal_and_undefined_features_are_not():
    inputs = keras.Input((2,))
    model = keras.Model(inputs, keras.layers.Dense(2, use_bias=False)(inputs))
    assert lowest_cosine(model, np.zeros((3, 2), np.float32)) == 1.0
    assert not lowest_cosine(model, np.full((1, 2), np.nan, np.float32)) >= 0.9
