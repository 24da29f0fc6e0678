"""Models of several encoders: layers, shared backbones, seeds, precision, saving."""

import random

import keras
import numpy as np
import pytest

from multimodal_ensemble import (
    BagOfWordsEncoder,
    DenseEncoder,
    ImageEncoder,
    fuse_encoders,
)
from multimodal_ensemble.encoders import DenseHead
from multimodal_ensemble.exceptions import ModalityError
from multimodal_ensemble.fusion import feature_model
from tests.toys import ArrayEncoder, make_poster, use_shallow_network


def call(model, inputs):
    return np.asarray(model(inputs, training=False))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def weights_equal(one, other):
    return all(
        np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights(), strict=True)
    )


def test_layers_are_named_after_modalities(poster, tags):
    model = fuse_encoders([poster, tags], n_labels=2, dropout=0.5)
    assert {layer.name for layer in model.layers} == {
        "poster",
        "poster_backbone",
        "poster_features",
        "poster_head",
        "tags",
        "tags_head",
        "embeddings",
        "embeddings_dropout",
        "scores",
    }
    assert model.name == "poster_and_tags"
    assert {tensor.name: tensor.shape for tensor in model.inputs} == {
        "poster": (None, 8, 8, 3),
        "tags": (None, 3),
    }
    assert model.get_layer("embeddings").output.shape == (None, 8)
    assert fuse_encoders([tags], n_labels=2, name="mine").name == "mine"


def test_scores_equal_those_computed_with_numpy(poster, tags, batch):
    model = fuse_encoders([poster, tags], n_labels=2, seed=1)
    features = call(poster.get_backbone(), batch["poster"])
    kernel, bias = model.get_layer("poster_head").get_layer("dense").get_weights()
    scaled = np.sign(features) * np.log1p(np.abs(features))
    from_poster = np.maximum(scaled @ kernel + bias, 0)
    kernel, bias = model.get_layer("tags_head").get_layer("dense").get_weights()
    from_tags = sigmoid(batch["tags"] @ kernel + bias)
    kernel, bias = model.get_layer("scores").get_weights()
    expected = sigmoid(np.hstack([from_poster, from_tags]) @ kernel + bias)
    np.testing.assert_allclose(call(model, batch), expected, rtol=1e-5)


def test_one_encoder_makes_a_unimodal_model(tags, batch):
    model = fuse_encoders([tags], n_labels=2)
    assert [layer.name for layer in model.layers] == ["tags", "tags_head", "scores"]
    assert model.count_params() == (3 * 3 + 3) + (3 * 2 + 2)
    assert call(model, {"tags": batch["tags"]}).shape == (4, 2)


def test_one_encoder_needs_no_list(tags):
    assert fuse_encoders(tags, n_labels=2).inputs[0].name == "tags"


def test_five_models_share_backbones_and_no_heads(poster, tags):
    still = make_poster("still", seed=2, head=DenseHead(4))
    choices = [[poster], [still], [tags], [poster, tags], [poster, still, tags]]
    models = [fuse_encoders(encoders, n_labels=2, seed=1) for encoders in choices]
    for name, encoder in (("poster", poster), ("still", still)):
        backbones = [
            model.get_layer(f"{name}_backbone")
            for model in models
            if name in [tensor.name for tensor in model.inputs]
        ]
        assert all(backbone is encoder.get_backbone() for backbone in backbones)
    trainable = [id(weight) for model in models for weight in model.trainable_weights]
    assert len(trainable) == len(set(trainable))


def test_equal_seeds_give_equal_weights_and_others_differ(tags, poster):
    first, again, other = (
        fuse_encoders([poster, tags], n_labels=2, seed=seed) for seed in (1, 1, 2)
    )
    assert weights_equal(first, again)
    assert not weights_equal(first, other)
    assert not weights_equal(fuse_encoders([tags], 2), fuse_encoders([tags], 2))


def test_building_the_backbone_does_not_change_the_seeded_heads(monkeypatch):
    use_shallow_network(monkeypatch, "MobileNet")
    encoder = ImageEncoder("poster", backbone="MobileNet", weights=None, image_size=32)
    first = fuse_encoders([encoder], n_labels=2, seed=1)
    again = fuse_encoders([encoder], n_labels=2, seed=1)
    assert weights_equal(first, again)


class RandomNetworkEncoder(ArrayEncoder):
    """An encoder with a backbone whose weights are drawn when it is built."""

    _backbone = None

    def get_backbone(self):
        if self._backbone is None:
            self._backbone = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
            self._backbone.trainable = False
        return self._backbone


def test_the_seed_is_also_that_of_a_backbone_with_random_weights():
    encoders = [RandomNetworkEncoder("x") for _ in range(4)]
    models = [
        fuse_encoders([encoder], 2, seed=seed)
        for encoder, seed in zip(encoders, (1, 1, 2, None), strict=True)
    ]
    assert weights_equal(*models[:2])
    backbones = [encoder.get_backbone().get_weights()[0] for encoder in encoders]
    assert len({backbone.tobytes() for backbone in backbones}) == 3


def test_a_seed_repeats_dropout(tags, batch):
    inputs = {"tags": batch["tags"]}
    one, other = (fuse_encoders([tags], 2, dropout=0.5, seed=4) for _ in range(2))
    for _ in range(3):
        np.testing.assert_array_equal(one(inputs, training=True), other(inputs, training=True))


def test_building_does_not_change_global_random_states(tags):
    state, numpy_state = random.getstate(), np.random.get_state()[1].tolist()
    fuse_encoders([tags], n_labels=2, seed=1)
    assert random.getstate() == state
    assert np.random.get_state()[1].tolist() == numpy_state


def test_scores_are_float32_under_mixed_precision(tags, batch):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        poster = make_poster(head=DenseHead(5))
        model = fuse_encoders([poster, tags], n_labels=2, seed=1)
        features = np.asarray(poster.get_backbone()(batch["poster"]))
        short = call(feature_model(model), {**batch, "poster": features.astype("float32")})
    finally:
        keras.config.set_dtype_policy(before)
    scores = call(model, batch)
    assert features.dtype == np.float16
    assert model.get_layer("embeddings").output.dtype == "float16"
    assert scores.dtype == np.float32
    np.testing.assert_allclose(short, scores, atol=1e-3)


def test_a_model_can_be_saved_and_loaded_after_it_was_cut(poster, tags, batch, tmp_path):
    model = fuse_encoders([poster, tags], n_labels=2, seed=1)
    feature_model(model)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(call(loaded, batch), call(model, batch))
    features = call(poster.get_backbone(), batch["poster"])
    np.testing.assert_allclose(
        call(feature_model(loaded), {**batch, "poster": features}), call(model, batch), rtol=1e-6
    )


def test_encoders_with_equal_names_are_refused():
    encoder = DenseEncoder("year").fit([1, 2])
    with pytest.raises(ModalityError, match=r"distinct names.*\['year'\]"):
        fuse_encoders([encoder, DenseEncoder("year").fit([1])], n_labels=1)


@pytest.mark.parametrize(
    ("names", "clashing"),
    [
        (["scores"], "scores"),
        (["embeddings", "year"], "embeddings"),
        (["year", "year_head"], "year_head"),
        (["year", "year_features"], "year_features"),
    ],
)
def test_names_of_other_layers_are_refused(names, clashing):
    encoders = [DenseEncoder(name).fit([1, 2]) for name in names]
    with pytest.raises(ModalityError, match=rf"name\(s\) \['{clashing}'\]"):
        fuse_encoders(encoders, n_labels=1)


class FixedNameEncoder(ArrayEncoder):
    """A third-party encoder whose backbone has the same name for every modality."""

    def get_backbone(self):
        return keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)], name="net")


def test_backbones_with_equal_names_are_refused():
    with pytest.raises(ModalityError, match=r"name\(s\) \['net'\]"):
        fuse_encoders([FixedNameEncoder("a"), FixedNameEncoder("b")], n_labels=1)


@pytest.mark.parametrize(
    ("encoders", "error", "match"),
    [
        ([], ModalityError, "empty list"),
        ([keras.layers.Dense(1)], ModalityError, "must be an instance of multimodal_ensemble"),
    ],
)
def test_other_objects_than_encoders_are_refused(encoders, error, match):
    with pytest.raises(error, match=match):
        fuse_encoders(encoders, n_labels=1)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (
            {"n_labels": 0},
            "n_labels must be a whole number of at least 1. Received n_labels=0",
        ),
        ({"n_labels": 1, "dropout": 1}, "dropout must be at least 0 and below 1"),
        ({"n_labels": 1, "dropout": -0.1}, "dropout must be at least 0 and below 1"),
    ],
)
def test_options_out_of_range_are_refused(options, match):
    tags = BagOfWordsEncoder("tags").fit([["a"]])
    with pytest.raises(ValueError, match=match):
        fuse_encoders([tags], **options)
