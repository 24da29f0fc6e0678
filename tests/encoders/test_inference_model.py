"""`InferenceModel` compared with the same layers in a plain model."""

import keras
import numpy as np

from multimodal_ensemble.encoders import InferenceModel

ROWS = np.random.default_rng(0).normal(3, 2, (6, 4)).astype("float32")


def build(model):
    inputs = keras.Input((4,))
    kernel = keras.initializers.RandomNormal(seed=1)
    inner = keras.Sequential([keras.layers.Dense(3, kernel_initializer=kernel)])
    layers = [keras.layers.BatchNormalization(), inner, keras.layers.Dropout(0.5)]
    outputs = inputs
    for layer in layers:
        outputs = layer(outputs)
    return model(inputs, outputs)


def test_training_mode_equals_inference_mode_of_a_plain_model():
    expected = np.asarray(build(keras.Model)(ROWS, training=False))
    model = build(InferenceModel)
    for training in (True, False, None):
        np.testing.assert_array_equal(model(ROWS, training=training), expected)
    assert not np.array_equal(build(keras.Model)(ROWS, training=True), expected)


def test_training_an_outer_model_changes_weights_but_no_batch_statistics():
    inner = build(InferenceModel)
    norm = inner.layers[1]
    dense = inner.layers[2].layers[0]
    statistics = [np.array(weight) for weight in norm.non_trainable_weights]
    kernel = np.array(dense.kernel)
    model = keras.Sequential([keras.Input((4,)), inner, keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(ROWS, np.ones((6, 1)), verbose=0)
    for before, after in zip(statistics, norm.non_trainable_weights, strict=True):
        np.testing.assert_array_equal(before, after)
    assert not np.array_equal(kernel, dense.kernel)


def test_the_configuration_creates_an_equal_model():
    model = build(InferenceModel)
    config = keras.saving.serialize_keras_object(model)
    assert config["registered_name"] == "multimodal_ensemble>InferenceModel"
    copy = keras.saving.deserialize_keras_object(config)
    assert type(copy) is InferenceModel
    copy.set_weights(model.get_weights())
    np.testing.assert_array_equal(copy(ROWS, training=True), model(ROWS))
