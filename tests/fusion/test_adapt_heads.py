"""Layers with an `adapt` method are found and adapted in heads of any structure."""

import keras
import numpy as np
import pytest

from multimodal_ensemble import DenseEncoder, fuse_encoders
from multimodal_ensemble.encoders import FeatureScaling
from multimodal_ensemble.exceptions import ModalityError
from multimodal_ensemble.fusion import adapt_heads, fusion_parts

ROWS = np.array([[1.0, 10.0], [3.0, 50.0], [5.0, 30.0]])


def pair_encoder(make_head):
    """Return an encoder of pairs whose head is made by a function."""
    return DenseEncoder("pair", head=lambda feature_shape: make_head()).fit([[0, 0]])


def standard(rows):
    return (rows - rows.mean(axis=0)) / rows.std(axis=0)


def log(rows):
    return np.sign(rows) * np.log1p(np.abs(rows))


def ones(units=1):
    return keras.layers.Dense(units, kernel_initializer="ones")


HEADS = {
    "keras normalization": (
        lambda: keras.Sequential([keras.layers.Normalization(), ones()]),
        lambda rows: standard(rows).sum(axis=1, keepdims=True),
    ),
    "feature scaling": (
        lambda: keras.Sequential([FeatureScaling(), ones()], name="pair_head"),
        lambda rows: standard(rows).sum(axis=1, keepdims=True),
    ),
    "feature scaling of logarithms": (
        lambda: keras.Sequential([FeatureScaling(log=True), ones()]),
        lambda rows: standard(log(rows)).sum(axis=1, keepdims=True),
    ),
    "nested": (
        lambda: keras.Sequential(
            [keras.Sequential([keras.layers.Rescaling(2), FeatureScaling(log=True)]), ones()]
        ),
        lambda rows: standard(log(2 * rows)).sum(axis=1, keepdims=True),
    ),
    "two, with a dense layer in between": (
        lambda: keras.Sequential([FeatureScaling(), ones(2), keras.layers.Normalization(), ones()]),
        lambda rows: 2 * standard(standard(rows).sum(axis=1, keepdims=True)) @ np.ones((1, 1)),
    ),
    "a single layer with another name": (
        lambda: keras.layers.Normalization(name="whatever"),
        standard,
    ),
    "nothing to adapt": (lambda: ones(), lambda rows: rows.sum(axis=1, keepdims=True)),
}


@pytest.mark.parametrize("name", list(HEADS))
def test_each_layer_of_a_head_adapts_to_its_own_input(name):
    make_head, expected = HEADS[name]
    encoder = pair_encoder(make_head)
    other = DenseEncoder("year").fit([1, 2])
    model = fuse_encoders([encoder, other], n_labels=1)
    assert not fusion_parts(model)["year"].needs_adapting
    needs_adapting = fusion_parts(model)["pair"].needs_adapting
    assert needs_adapting == (name != "nothing to adapt")
    adapt_heads(model, {"pair": ROWS} if needs_adapting else {})
    head = model.get_layer("pair_head")
    np.testing.assert_allclose(
        np.asarray(head(ROWS.astype("float32"))), expected(ROWS), rtol=1e-4, atol=1e-5
    )


def test_adapting_again_replaces_the_statistics():
    encoder = pair_encoder(lambda: keras.Sequential([FeatureScaling(), ones()]))
    model = fuse_encoders([encoder], n_labels=1)
    adapt_heads(model, {"pair": ROWS + 100})
    adapt_heads(model, {"pair": ROWS})
    scaling = model.get_layer("pair_head").layers[0]
    np.testing.assert_allclose(scaling.mean.numpy(), ROWS.mean(axis=0))
    np.testing.assert_allclose(scaling.scale.numpy(), ROWS.std(axis=0), rtol=1e-6)


@pytest.mark.parametrize("layer", [FeatureScaling, keras.layers.Normalization])
def test_earlier_predictions_do_not_keep_old_statistics(layer):
    encoder = pair_encoder(lambda: keras.Sequential([layer(), ones()]))
    model = fuse_encoders([encoder], n_labels=1, seed=1)
    rows = {"pair": ROWS.astype("float32")}
    model.predict_on_batch(rows)
    adapt_heads(model, {"pair": ROWS})
    np.testing.assert_allclose(model.predict_on_batch(rows), np.asarray(model(rows)), rtol=1e-5)


def test_the_error_names_a_modality_that_the_model_lacks():
    model = fuse_encoders([DenseEncoder("year").fit([1, 2])], n_labels=1)
    with pytest.raises(ModalityError, match=r"no head for 'pair'; it has one for \['year'\]"):
        adapt_heads(model, {"pair": ROWS})
