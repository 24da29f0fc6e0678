"""Models whose backbone has trained last layers are cut before these layers."""

import keras
import numpy as np
import pytest
from keras import layers

from multimodal_ensemble import ImageEncoder, fuse_encoders, fuse_models, load_model
from multimodal_ensemble.encoders import DenseHead
from multimodal_ensemble.fusion import feature_model, fusion_parts

SHAPES = {0: (6,), 1: (4, 4, 5), 2: (6, 6, 4), 3: None}


@pytest.fixture
def make_still():
    def make(n_layers):
        network = keras.Sequential(
            [
                keras.Input((8, 8, 3)),
                layers.Rescaling(1 / 255),
                layers.Conv2D(4, 3, activation="relu"),
                layers.Conv2D(5, 3, activation="relu"),
                layers.Dropout(0.5),
                layers.Conv2D(6, 3),
            ]
        )
        return ImageEncoder("still", backbone=network, head=DenseHead(4), trainable_layers=n_layers)

    return make


@pytest.fixture
def pixels(batch):
    return {**batch, "still": batch["poster"][::-1]}


def input_shapes(model):
    return {tensor.name: tensor.shape[1:] for tensor in model.inputs}


def call(model, inputs):
    return np.asarray(model(inputs, training=False))


@pytest.mark.parametrize("n_layers", [0, 1, 2])
def test_the_feature_model_takes_the_input_of_the_trained_layers(
    make_still, poster, tags, pixels, n_layers
):
    still = make_still(n_layers)
    model = fuse_encoders([still, poster, tags], n_labels=3, seed=1)
    short = feature_model(model)
    assert input_shapes(short) == {"still": SHAPES[n_layers], "poster": (4,), "tags": (3,)}
    features = {
        "still": call(still.frozen_part(), pixels["still"]),
        "poster": call(poster.get_backbone(), pixels["poster"]),
        "tags": pixels["tags"],
    }
    np.testing.assert_allclose(call(short, features), call(model, pixels), rtol=1e-5)
    assert {id(weight) for weight in short.trainable_weights} == {
        id(weight) for weight in model.trainable_weights
    }


def test_the_input_shape_follows_the_frozen_layers(make_still):
    still = make_still(1)
    model = fuse_encoders([still], n_labels=3)
    assert feature_model(model).input_shape == (None, 4, 4, 5)
    still.unfreeze(2)
    assert feature_model(model).input_shape == (None, 6, 6, 4)
    still.unfreeze(0)
    assert feature_model(model).input_shape == (None, 6)


def test_a_backbone_whose_first_layer_is_trained_is_left_out(make_still, pixels):
    still = make_still(3)
    model = fuse_encoders([still], n_labels=3, seed=1)
    short = feature_model(model)
    assert short.input_shape == (None, 6)
    features = {"still": call(still.get_backbone(), pixels["still"])}
    np.testing.assert_allclose(
        call(short, features), call(model, {"still": pixels["still"]}), rtol=1e-5
    )


def test_the_parts_of_a_backbone_follow_its_freezing(make_still):
    still = make_still(1)
    model = fuse_encoders([still], n_labels=3)
    parts = fusion_parts(model)["still"]
    assert parts.frozen is still.frozen_part()
    assert parts.trained.input_shape == (None, 4, 4, 5)
    still.unfreeze(0)
    parts = fusion_parts(model)["still"]
    assert parts.frozen is still.get_backbone()
    assert parts.trained is None
    still.unfreeze()
    parts = fusion_parts(model)["still"]
    assert parts.backbone is still.get_backbone()
    assert parts.frozen is None
    assert parts.trained is None


def test_training_the_feature_model_trains_the_last_layers_of_the_backbone(make_still, pixels):
    still = make_still(1)
    model = fuse_encoders([still], n_labels=2, seed=1)
    short = feature_model(model)
    before = still.get_backbone().get_weights()
    features = call(still.frozen_part(), pixels["still"])
    short.compile("sgd", "binary_crossentropy")
    short.fit({"still": features}, np.ones((4, 2)), epochs=2, verbose=0)
    changed = [
        not np.array_equal(old, new)
        for old, new in zip(before, still.get_backbone().get_weights(), strict=True)
    ]
    assert changed == [False] * 4 + [True] * 2
    np.testing.assert_array_equal(call(still.frozen_part(), pixels["still"]), features)
    np.testing.assert_allclose(
        call(short, {"still": features}), call(model, {"still": pixels["still"]}), rtol=1e-5
    )


def test_cutting_a_model_repeatedly_does_not_change_it(make_still, pixels, tmp_path):
    still = make_still(1)
    model = fuse_encoders([still], n_labels=2, seed=1)
    expected = call(model, {"still": pixels["still"]})
    n_layers = len(model.layers)
    for n_unfrozen in (1, 2, 0, 1):
        still.unfreeze(n_unfrozen)
        feature_model(model)
    assert len(model.layers) == n_layers
    np.testing.assert_array_equal(call(model, {"still": pixels["still"]}), expected)
    for saved in (model, feature_model(model)):
        saved.save(tmp_path / "model.keras")
        loaded = load_model(tmp_path / "model.keras")
        rows = pixels["still"] if saved is model else call(still.frozen_part(), pixels["still"])
        np.testing.assert_allclose(call(loaded, {"still": rows}), expected, rtol=1e-5)


@pytest.mark.parametrize("n_layers", [0, 1, 3])
def test_a_fusion_copies_the_trained_layers(make_still, poster, pixels, n_layers):
    still = make_still(n_layers)
    models = [fuse_encoders([encoder], n_labels=3, seed=1) for encoder in (still, poster)]
    fused = fuse_models(models, n_labels=3, seed=2)
    short = feature_model(fused)
    assert input_shapes(short) == {"still": SHAPES[n_layers] or (6,), "poster": (4,)}
    images = {name: pixels[name] for name in ("still", "poster")}
    embeddings = [
        call(keras.Model(model.inputs, model.get_layer("scores").input), {name: images[name]})
        for model, name in zip(models, images, strict=True)
    ]
    joined = keras.Model(fused.inputs, fused.get_layer("scores").input)
    np.testing.assert_allclose(call(joined, images), np.concatenate(embeddings, 1), rtol=1e-5)
    trained = {id(weight) for weight in fused.trainable_weights}
    assert trained.isdisjoint(id(weight) for weight in models[0].trainable_weights)
    part = still.frozen_part() or still.get_backbone()
    features = {
        "still": call(part, images["still"]),
        "poster": call(poster.get_backbone(), images["poster"]),
    }
    np.testing.assert_allclose(call(short, features), call(fused, images), rtol=1e-5)
