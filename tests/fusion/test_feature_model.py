"""The part of a model behind its backbones returns the same scores and shares its weights."""

import keras
import numpy as np
import pytest

from multimodal_ensemble import Encoder, fuse_encoders, fuse_models
from multimodal_ensemble.encoders import DenseHead
from multimodal_ensemble.exceptions import ModalityError
from multimodal_ensemble.fusion import feature_model
from tests.toys import make_poster


def call(model, inputs):
    return np.asarray(model(inputs, training=False))


@pytest.fixture
def still():
    return make_poster("still", seed=2, head=DenseHead(4, scaling="standard"))


@pytest.fixture
def pixels(batch):
    return {**batch, "still": batch["poster"][::-1]}


@pytest.mark.parametrize("given", [["poster"], ["still"], ["still", "poster"], None])
def test_full_model_equals_feature_model_of_backbone(poster, still, tags, pixels, given):
    model = fuse_encoders([poster, still, tags], n_labels=3, dropout=0.3, seed=1)
    backbones = {"poster": poster.get_backbone(), "still": still.get_backbone()}
    cut = list(backbones) if given is None else given
    mixed = {
        name: call(backbones[name], array) if name in cut else array
        for name, array in pixels.items()
    }
    short = feature_model(model, given)
    assert {tensor.name: tensor.shape[1:] for tensor in short.inputs} == {
        name: array.shape[1:] for name, array in mixed.items()
    }
    np.testing.assert_allclose(call(short, mixed), call(model, pixels), rtol=1e-6)


def test_training_the_feature_model_trains_the_full_model(poster, tags, batch):
    model = fuse_encoders([poster, tags], n_labels=2, seed=1)
    short = feature_model(model)
    before = call(model, batch)
    frozen = poster.get_backbone().get_weights()
    features = {**batch, "poster": call(poster.get_backbone(), batch["poster"])}
    short.compile("sgd", "binary_crossentropy")
    short.fit(features, np.ones((4, 2)), epochs=3, verbose=0)
    assert [id(w) for w in short.trainable_weights] == [id(w) for w in model.trainable_weights]
    assert not np.allclose(call(model, batch), before, rtol=1e-6)
    np.testing.assert_allclose(call(model, batch), call(short, features), rtol=1e-6)
    for old, new in zip(frozen, poster.get_backbone().get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def squared(y_true, y_score):
    return keras.ops.mean((y_true - y_score) ** 2, axis=-1)


def test_a_model_with_a_function_as_loss_can_be_cut_and_fused(poster, tags, batch):
    model = fuse_encoders([poster, tags], n_labels=2, seed=1)
    model.compile("adam", squared)
    short = feature_model(model)
    features = {**batch, "poster": call(poster.get_backbone(), batch["poster"])}
    np.testing.assert_allclose(call(short, features), call(model, batch), rtol=1e-6)
    assert not short.compiled
    assert model.compiled
    models = [fuse_encoders([each], n_labels=2) for each in (poster, tags)]
    models[1].compile("adam", squared)
    assert call(fuse_models(models, n_labels=2), batch).shape == (4, 2)


class TokenEncoder(Encoder):
    """A third-party encoder of integers with a frozen embedding and one layer as head."""

    input_shape = (3,)
    input_dtype = "int32"

    def __init__(self, name):
        super().__init__(name, head=lambda feature_shape: keras.layers.Dense(2))
        self._tokens = keras.Sequential(
            [
                keras.Input((3,), dtype="int32"),
                keras.layers.Embedding(9, 4),
                keras.layers.GlobalAveragePooling1D(),
            ],
            name="tokens",
        )
        self._tokens.trainable = False

    def encode(self, values):
        return np.array([list(value) for value in values], dtype="int32").reshape(-1, 3)

    def get_backbone(self):
        return self._tokens


def test_features_of_integer_inputs_are_floats():
    encoder = TokenEncoder("text")
    model = fuse_encoders([encoder], n_labels=2, seed=1)
    tokens = encoder.encode([[1, 2, 3], [3, 4, 8]])
    features = call(encoder.get_backbone(), tokens)
    assert feature_model(model).inputs[0].dtype == "float32"
    np.testing.assert_allclose(
        call(feature_model(model), {"text": features}), call(model, {"text": tokens}), rtol=1e-6
    )


def test_a_modality_without_backbone_is_refused(poster, tags):
    model = fuse_encoders([poster, tags], n_labels=2)
    with pytest.raises(ModalityError, match=r"no backbone for \['tags'\]; it has one for \['post"):
        feature_model(model, ["tags"])


def test_a_plain_keras_model_is_refused():
    model = keras.Sequential([keras.Input((2,), name="x"), keras.layers.Dense(1)])
    with pytest.raises(ModalityError, match=r"no backbone for \['x'\]; it has one for \[\]"):
        feature_model(model, ["x"])
