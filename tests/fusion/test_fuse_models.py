"""Fusions of trained models: scores, copied and frozen layers, refused models."""

import keras
import numpy as np
import pytest

from multimodal_ensemble import BagOfWordsEncoder, fuse_encoders, fuse_models
from multimodal_ensemble.encoders import DenseHead
from multimodal_ensemble.exceptions import ModalityError
from multimodal_ensemble.fusion import feature_model


def call(model, inputs):
    return np.asarray(model(inputs, training=False))


def names(model):
    return [tensor.name for tensor in model.inputs]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def copy_weights(model):
    return [value.copy() for value in model.get_weights()]


def train(model, inputs, *, epochs=2):
    model.compile(keras.optimizers.SGD(0.1), "binary_crossentropy")
    for _ in range(epochs):
        model.train_on_batch(inputs, np.eye(4)[:, :2])


def sequential(name, *, size=3, units=4, labels=2, hidden="hidden", ending=None):
    """Return a small model with one input, called `name`."""
    activation = None if ending else "sigmoid"
    return keras.Sequential(
        [
            keras.Input((size,), name=name),
            keras.layers.Dense(units, "tanh", name=hidden),
            keras.layers.Dense(labels, activation, name="out"),
            *([ending] if ending else []),
        ],
        name=f"{name}_model",
    )


@pytest.fixture(scope="module")
def trained(poster, tags, batch):
    """Return a model of posters and one of tags, both trained; no test needs certain weights."""
    models = [fuse_encoders([encoder], n_labels=2, seed=1) for encoder in (poster, tags)]
    for model in models:
        train(model, {name: batch[name] for name in names(model)})
    return models


def test_the_new_output_layer_takes_the_inputs_of_the_old_ones(trained, batch):
    fused = fuse_models(trained, n_labels=2, seed=3)
    embeddings = [
        call(
            keras.Model({name: model.inputs[0]}, model.get_layer("scores").input),
            {name: batch[name]},
        )
        for model, name in zip(trained, ("poster", "tags"), strict=True)
    ]
    kernel, bias = fused.get_layer("scores").get_weights()
    expected = sigmoid(np.hstack(embeddings) @ kernel + bias)
    assert fused.name == "poster_and_tags"
    assert names(fused) == ["poster", "tags"]
    np.testing.assert_allclose(call(fused, batch), expected, rtol=1e-5)


def test_training_the_fusion_does_not_change_the_models(trained, batch):
    before = [copy_weights(model) for model in trained]
    fused = fuse_models(trained, n_labels=2)
    own = copy_weights(fused)
    train(fused, batch)
    for model, weights in zip(trained, before, strict=True):
        for old, new in zip(weights, model.get_weights(), strict=True):
            np.testing.assert_array_equal(old, new)
    changed = [id(w) for w, old in zip(fused.weights, own, strict=True) if (w.numpy() != old).any()]
    assert changed == [id(weight) for weight in fused.trainable_weights]
    assert len(changed) == 6


def test_a_layer_with_moving_statistics_and_no_trainable_weights_is_copied():
    inputs = keras.Input((3,), name="x")
    normalised = keras.layers.BatchNormalization(center=False, scale=False, momentum=0.5)(inputs)
    hidden = keras.layers.Dense(4)(normalised)
    model = keras.Model(inputs, keras.layers.Dense(2, "sigmoid")(hidden))
    before = copy_weights(model)
    train(fuse_models([model], n_labels=2), {"x": np.full((4, 3), 7.0)})
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_frozen_head_that_can_adapt_is_copied():
    tags = BagOfWordsEncoder("tags", head=DenseHead(scaling="standard")).fit([["a", "b"], ["b"]])
    model = fuse_encoders([tags], n_labels=2)
    model.trainable = False
    fused = fuse_models([model], n_labels=2)
    assert fused.get_layer("tags_head") is not model.get_layer("tags_head")


def test_a_frozen_backbone_is_shared(trained, poster):
    fused = fuse_models(trained, n_labels=2)
    assert fused.get_layer("poster_backbone") is poster.get_backbone()


def test_freeze_trains_only_the_new_output_layer(trained, batch):
    fused = fuse_models(trained, n_labels=2, freeze=True)
    before = copy_weights(fused)
    train(fused, batch)
    changed = [
        w.path for w, old in zip(fused.weights, before, strict=True) if (w.numpy() != old).any()
    ]
    assert changed == ["scores/kernel", "scores/bias"]
    assert all(model.trainable_weights for model in trained)


@pytest.mark.parametrize("freeze", [True, False])
def test_the_models_stay_trainable(trained, batch, freeze):
    fuse_models(trained, n_labels=2, freeze=freeze)
    before = copy_weights(trained[1])
    train(trained[1], {"tags": batch["tags"]})
    assert any(
        (old != new).any() for old, new in zip(before, trained[1].get_weights(), strict=True)
    )


def test_layers_with_equal_names_are_renamed_and_keep_their_weights():
    first, second, third = sequential("a"), sequential("b", units=5), sequential("c")
    fused = fuse_models([first, second, third], n_labels=2, seed=1)
    layers = [layer.name for layer in fused.layers]
    assert len(set(layers)) == len(layers)
    assert {"hidden", "b_model_hidden", "c_model_hidden"} <= set(layers)
    rows = {name: np.random.default_rng(1).normal(size=(4, 3)) for name in "abc"}
    embeddings = [
        np.tanh(rows[name] @ model.layers[0].get_weights()[0])
        for name, model in zip("abc", (first, second, third), strict=True)
    ]
    kernel, bias = fused.get_layer("scores").get_weights()
    np.testing.assert_allclose(
        call(fused, rows), sigmoid(np.hstack(embeddings) @ kernel + bias), rtol=1e-5
    )


def test_a_plain_layer_may_have_the_name_of_another_models_input():
    fused = fuse_models(
        [sequential("a", hidden="b"), sequential("b", hidden="embeddings")], n_labels=2
    )
    assert names(fused) == ["a", "b"]


def test_models_with_equal_names_can_be_fused():
    one, other = sequential("a"), sequential("b")
    one.name = other.name = "same"
    assert fuse_models([one, other], n_labels=2).get_layer("embeddings").output.shape == (None, 8)


def functional(name, ending):
    inputs = keras.Input((3,), name=name)
    hidden = keras.layers.Dense(4, "tanh", name="hidden")(inputs)
    return keras.Model(inputs, ending(keras.layers.Dense(2, name="out")(hidden)))


def added(name, ending):
    model = keras.Sequential([keras.Input((3,), name=name)])
    for layer in (keras.layers.Dense(4, "tanh"), keras.layers.Dense(2), ending):
        model.add(layer)
    return model


@pytest.mark.parametrize(
    "make",
    [
        functional,
        added,
        lambda name, ending: sequential(name, ending=ending),
    ],
    ids=["functional", "sequential, layer by layer", "sequential"],
)
def test_an_activation_after_the_output_layer_is_dropped_also(make):
    model = make("a", keras.layers.Activation("sigmoid"))
    fused = fuse_models([model], n_labels=2, seed=1)
    rows = np.random.default_rng(1).normal(size=(4, 3))
    kernel = model.get_weights()[0]
    out, bias = fused.get_layer("scores").get_weights()
    np.testing.assert_allclose(
        call(fused, {"a": rows}), sigmoid(np.tanh(rows @ kernel) @ out + bias), rtol=1e-5
    )


def test_a_fusion_of_models_can_be_cut(trained, poster, batch):
    fused = fuse_models(trained, n_labels=2, seed=3)
    short = feature_model(fused)
    assert short.inputs[0].shape == (None, 4)
    features = call(poster.get_backbone(), batch["poster"])
    np.testing.assert_allclose(
        call(short, {**batch, "poster": features}), call(fused, batch), rtol=1e-6
    )


def test_models_that_were_cut_before_can_be_fused(trained, batch):
    for model in trained:
        feature_model(model)
    again = fuse_models(trained, n_labels=2, seed=3)
    np.testing.assert_array_equal(
        call(again, batch), call(fuse_models(trained, n_labels=2, seed=3), batch)
    )


def test_a_fusion_can_be_saved_and_loaded(trained, batch, tmp_path):
    fused = fuse_models(trained, n_labels=2)
    fused.save(tmp_path / "fused.keras")
    loaded = keras.models.load_model(tmp_path / "fused.keras")
    np.testing.assert_array_equal(call(loaded, batch), call(fused, batch))


def test_equal_seeds_give_equal_output_layers_and_dropout(trained, batch):
    one, other, third = (
        fuse_models(trained, n_labels=2, dropout=0.5, seed=seed) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(call(one, batch), call(other, batch))
    assert not np.array_equal(call(one, batch), call(third, batch))
    np.testing.assert_array_equal(one(batch, training=True), other(batch, training=True))


class SubclassedModel(keras.Model):
    def call(self, inputs):
        return inputs


def two_outputs():
    inputs = keras.Input((3,), name="a")
    hidden = keras.layers.Dense(4)(inputs)
    return keras.Model(inputs, [keras.layers.Dense(2)(hidden), keras.layers.Dense(2)(hidden)])


def ends_in(layer):
    return keras.Sequential([keras.Input((4, 2), name="a"), keras.layers.Dense(2), layer])


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (list, "empty list"),
        (lambda: [sequential("a"), sequential("a")], r"name\(s\) \['a'\] belong to more"),
        (
            lambda: [sequential("a"), sequential("b", labels=3)],
            r"n_labels=2 labels. Received {'a_model': 2, 'b_model': 3}",
        ),
        (lambda: [ends_in(keras.layers.GlobalAveragePooling1D(name="pool"))], "ends in 'pool'"),
        (lambda: [ends_in(keras.layers.ReLU(name="last"))], r"ends in 'last' \(ReLU\)"),
        (
            lambda: [keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="only")])],
            "no output layer to drop.* ends in 'only'",
        ),
        (
            lambda: [
                keras.Sequential(
                    [keras.Input((2,)), keras.layers.Activation("sigmoid", name="only")]
                )
            ],
            "no output layer to drop.* ends in 'only'",
        ),
        (
            lambda: [functional("a", keras.layers.GaussianNoise(0.1, name="noise"))],
            "ends in 'noise'",
        ),
        (lambda: [two_outputs()], "must have one output"),
        (lambda: [SubclassedModel()], "functional or sequential Keras models"),
        (
            lambda: [keras.Sequential([keras.layers.Dense(3), keras.layers.Dense(2)])],
            "functional or sequential Keras models that are built",
        ),
        (lambda: ["a"], "functional or sequential Keras models"),
    ],
    ids=[
        "no model",
        "input names clash",
        "label counts differ",
        "pooling last",
        "another layer last",
        "dense layer on the input",
        "activation on the input",
        "functional with another layer last",
        "two outputs",
        "subclassed",
        "not built",
        "not a model",
    ],
)
def test_models_that_cannot_be_fused_are_refused(make, match):
    with pytest.raises(ModalityError, match=match):
        fuse_models(make(), n_labels=2)


@pytest.mark.parametrize(
    ("options", "match"),
    [({"n_labels": 0}, "n_labels"), ({"n_labels": 2, "dropout": 1}, "dropout")],
)
def test_options_out_of_range_are_refused(options, match):
    with pytest.raises(ValueError, match=match):
        fuse_models([sequential("a")], **options)


def test_an_input_with_the_name_of_a_layer_of_the_fusion_is_refused():
    inputs = keras.Input((3,), name="scores")
    hidden = keras.layers.Dense(2)(inputs)
    model = keras.Model(inputs, keras.layers.Dense(2, "sigmoid")(hidden))
    with pytest.raises(ModalityError, match=r"\['scores'\] belong to layers of the fusion"):
        fuse_models([model], n_labels=2)
