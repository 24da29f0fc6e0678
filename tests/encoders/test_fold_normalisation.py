"""Networks without batch normalisation return what the networks return that they are made of."""

import keras
import numpy as np
import pytest

from multimodal_ensemble import ImageEncoder
from multimodal_ensemble.encoders import InferenceModel, fold_normalisation, join_backbones
from tests import toys

layers = keras.layers


def draw_statistics(model, seed=0):
    """Give all batch normalisations random weights, as a training does."""
    generator = np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            draw_statistics(layer, seed)
        elif isinstance(layer, layers.BatchNormalization):
            layer.set_weights([generator.uniform(0.5, 2, each.shape) for each in layer.weights])
    return model


def make_model(*stack, shape=(8, 8, 3)):
    inputs = tensor = keras.Input(shape)
    for layer in stack:
        tensor = layer(tensor)
    return draw_statistics(keras.Model(inputs, tensor))


def count_normalisations(model):
    return sum(
        count_normalisations(layer)
        if isinstance(layer, keras.Model)
        else isinstance(layer, layers.BatchNormalization)
        for layer in model.layers
    )


def assert_equal_outputs(folded, model, shape=(8, 8, 3)):
    rows = np.random.default_rng(1).normal(size=(4, *shape)).astype("float32")
    expected, received = model(rows, training=False), folded(rows)
    for one, other in zip(keras.tree.flatten(expected), keras.tree.flatten(received), strict=True):
        one = np.asarray(one)
        np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-5 * np.abs(one).max())


@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda **bias: layers.Conv2D(4, 3, strides=2, padding="same", **bias), (8, 8, 3)),
        (lambda **bias: layers.Conv2D(4, 3, groups=2, dilation_rate=2, **bias), (8, 8, 4)),
        (lambda **bias: layers.DepthwiseConv2D(3, depth_multiplier=2, **bias), (8, 8, 3)),
        (lambda **bias: layers.SeparableConv2D(4, 3, depth_multiplier=2, **bias), (8, 8, 3)),
        (lambda **bias: layers.Conv1D(4, 3, **bias), (8, 3)),
        (lambda **bias: layers.Dense(4, **bias), (5, 3)),
    ],
    ids=["convolution", "groups", "depthwise", "separable", "one axis", "dense"],
)
@pytest.mark.parametrize("options", [{}, {"scale": False}, {"center": False, "epsilon": 0.1}])
def test_each_linear_layer_does_the_normalisation(make, shape, use_bias, options):
    bias = {"use_bias": use_bias}
    if use_bias:
        bias["bias_initializer"] = keras.initializers.RandomNormal(seed=1)
    model = make_model(make(**bias), layers.BatchNormalization(**options), shape=shape)
    folded = fold_normalisation(model)
    assert count_normalisations(folded) == 0
    assert_equal_outputs(folded, model, shape)


@pytest.mark.parametrize(
    "stack",
    [
        lambda: [layers.Conv2D(4, 3, activation="relu"), layers.BatchNormalization()],
        lambda: [layers.Conv2D(4, 3), layers.ReLU(), layers.BatchNormalization()],
        lambda: [layers.Conv2D(6, 3), layers.BatchNormalization(axis=1)],
        lambda: [layers.Conv2D(4, 3, dtype="bfloat16"), layers.BatchNormalization()],
        lambda: [layers.Conv2D(4, 3), layers.BatchNormalization(dtype="bfloat16")],
        lambda: [layers.BatchNormalization(), layers.Conv2D(4, 3)],
        lambda: [layers.Conv2D(4, 3), layers.LayerNormalization()],
        lambda: [layers.Conv2D(4, 3)],
    ],
    ids=[
        "activation",
        "layer between",
        "other axis",
        "bfloat16",
        "normalisation in bfloat16",
        "other order",
        "other normalisation",
        "none",
    ],
)
def test_a_model_without_such_a_pair_is_returned(stack):
    model = make_model(*stack())
    assert fold_normalisation(model) is model


def test_a_normalisation_by_the_statistics_of_each_batch_is_left():
    inputs = keras.Input((8, 8, 3))
    maps = layers.BatchNormalization()(layers.Conv2D(4, 3)(inputs), training=True)
    model = keras.Model(inputs, maps)
    assert fold_normalisation(model) is model


def test_layers_with_further_weights_are_left():
    dense = layers.Dense(4)
    model = make_model(dense, layers.BatchNormalization(), shape=(3,))
    dense.enable_lora(2)
    assert fold_normalisation(model) is model


def test_subclasses_are_left():
    class Halved(layers.Conv2D):
        def call(self, inputs):
            return super().call(inputs) / 2

    model = make_model(Halved(4, 3), layers.BatchNormalization())
    assert fold_normalisation(model) is model


def test_an_output_that_is_used_twice_stays():
    inputs = keras.Input((8, 8, 3))
    maps = layers.Conv2D(4, 3)(inputs)
    both = layers.Concatenate()([maps, layers.BatchNormalization()(maps)])
    model = draw_statistics(keras.Model(inputs, [both, maps]))
    folded = fold_normalisation(model)
    assert count_normalisations(folded) == 0
    assert_equal_outputs(folded, model)


def test_a_layer_that_is_called_twice_has_both_normalisations():
    inputs = keras.Input((8, 8, 3))
    shared, one, other = (
        layers.Conv2D(3, 3, padding="same"),
        *(layers.BatchNormalization() for _ in range(2)),
    )
    model = draw_statistics(keras.Model(inputs, other(shared(one(shared(inputs))))))
    folded = fold_normalisation(model)
    assert count_normalisations(folded) == 0
    assert_equal_outputs(folded, model)


def test_models_inside_a_model_are_folded():
    inner = make_model(layers.Conv2D(4, 3), layers.BatchNormalization(), layers.ReLU())
    sequence = keras.Sequential(
        [keras.Input((6, 6, 4)), layers.Conv2D(2, 3), layers.BatchNormalization()]
    )
    inputs = keras.Input((8, 8, 3))
    views = [inputs, inputs[:, :, ::-1]]
    outputs = layers.Average()([sequence(inner(view)) for view in views])
    model = InferenceModel(inputs, outputs)
    draw_statistics(model)
    folded = fold_normalisation(model)
    assert count_normalisations(folded) == 0
    # Both views share their layers.
    assert sum(isinstance(layer, layers.Conv2D) for layer in folded.layers) == 2
    assert_equal_outputs(folded, model)


def test_a_network_that_is_used_again_keeps_no_further_weights():
    network = make_model(layers.Conv2D(4, 3), layers.BatchNormalization())

    def fold_around():
        inputs = keras.Input((8, 8, 3))
        return fold_normalisation(InferenceModel(inputs, network(inputs)))

    (first,), (second,) = (
        [each for each in fold_around().layers if isinstance(each, layers.Conv2D)] for _ in "12"
    )
    assert first is second
    draw_statistics(network, seed=5)
    assert_equal_outputs(fold_around(), network)


def test_a_model_inside_that_converts_its_input_is_called_as_it_is():
    inner_inputs = keras.Input((6,), dtype="int32")
    numbers = layers.Dense(4)(keras.ops.cast(inner_inputs, "float32"))
    inner = keras.Model(inner_inputs, layers.BatchNormalization()(numbers))
    inputs = keras.Input((6,))
    model = draw_statistics(keras.Model(inputs, inner(inputs * 3)))
    assert_equal_outputs(fold_normalisation(model), model, (6,))


def test_an_initialiser_may_be_a_function():
    def draw(shape, dtype=None):
        return keras.ops.ones(shape, dtype)

    dense = layers.Dense(4, kernel_initializer=draw)
    model = make_model(dense, layers.BatchNormalization(), shape=(3,))
    folded = fold_normalisation(model)
    assert count_normalisations(folded) == 0
    assert_equal_outputs(folded, model, (3,))


def test_different_layers_of_the_same_name_are_left():
    def make_part(size, channels):
        inputs = keras.Input((size, size, channels))
        maps = layers.Conv2D(3, 3, name="convolution")(inputs)
        return keras.Model(inputs, layers.BatchNormalization(name="normalisation")(maps))

    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, make_part(6, 3)(make_part(8, 3)(inputs)))
    assert fold_normalisation(model) is model


def test_joined_backbones_are_folded():
    inputs = keras.Input((8, 8, 3))
    maps = layers.BatchNormalization()(layers.Conv2D(4, 3)(inputs))
    models = [
        keras.Model(inputs, pool()(maps))
        for pool in (layers.GlobalAveragePooling2D, layers.GlobalMaxPooling2D)
    ]
    draw_statistics(models[0])
    ((joined, _),) = join_backbones(models)
    folded = fold_normalisation(joined)
    assert count_normalisations(folded) == 0
    assert_equal_outputs(folded, joined)


@pytest.mark.parametrize("name", ["MobileNet", "ResNet50", "EfficientNetB0"])
def test_networks_of_keras_return_the_same_features(name, monkeypatch):
    toys.use_shallow_network(monkeypatch, name)
    encoder = ImageEncoder("poster", backbone=name, weights=None, image_size=32, seed=1)
    model = draw_statistics(encoder.get_backbone())
    folded = fold_normalisation(model)
    assert count_normalisations(folded) == 0
    pixels = toys.draw_pixels(3, 32, 32, 3)
    expected = np.asarray(model(pixels))
    np.testing.assert_allclose(
        folded(pixels), expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max()
    )
