"""A joined model returns what its backbones return, and runs equal layers once."""

import keras
import numpy as np
import pytest
from keras import layers

from multimodal_ensemble.encoders import InferenceModel, join_backbones
from tests.toys import make_network, make_poster

PIXELS = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), dtype="uint8")


def backbones_of(*options):
    """Return backbones with copies of one network."""
    return [make_poster(**each).get_backbone() for each in options]


def check_joined(backbones):
    """Check that all are joined with the outputs of each, and return the model."""
    ((model, positions),) = join_backbones(backbones)
    assert positions == list(range(len(backbones)))
    outputs = model(PIXELS, training=True)
    assert len(outputs) == len(backbones)
    for output, backbone in zip(outputs, backbones, strict=True):
        np.testing.assert_allclose(output, backbone(PIXELS), rtol=1e-5, atol=1e-5)
    return model


@pytest.fixture
def calls(monkeypatch):
    """Return a list to which each call of a convolution with numbers is appended."""
    found = []
    call = layers.Conv2D.call

    def record(self, inputs):
        if not isinstance(inputs, keras.KerasTensor):
            found.append(self)
        return call(self, inputs)

    monkeypatch.setattr(layers.Conv2D, "call", record)
    return found


def count(model, kind=layers.Conv2D):
    return sum(isinstance(operation, kind) for operation in model.operations)


def test_one_network_with_several_poolings_is_run_once(calls):
    options = [{}, {"pooling": "max"}, {"pooling": ("max", "avg")}]
    model = check_joined(backbones_of(*options))
    calls.clear()
    model(PIXELS)
    assert len(calls) == count(model) == count(model, layers.GlobalAveragePooling2D) == 1


def test_equal_backbones_share_everything():
    model = check_joined(backbones_of({}, {}))
    assert len(model.operations) == 4


def test_mirrored_views_share_the_plain_view_and_the_weights(calls):
    model = check_joined(backbones_of({}, {"mirror": True}))
    calls.clear()
    model(PIXELS)
    assert len(calls) == 2
    assert len(model.weights) == 2


def test_a_part_of_a_network_is_joined_with_the_whole():
    part, whole = make_network(), make_network()
    whole.add(layers.Conv2D(3, 1, name="behind"))
    model = check_joined([make_poster(network=each).get_backbone() for each in (part, whole)])
    assert len(model.weights) == 4


def build_residual():
    """Return a functional network with a block of two branches, and a model inside it."""
    inputs = keras.Input((8, 8, 3))
    kernel = keras.initializers.GlorotUniform
    maps = make_network(n_maps=5)(inputs)
    branch = layers.Conv2D(5, 3, padding="same", kernel_initializer=kernel(2))(maps)
    block = layers.Add()([branch, maps])
    last = layers.Conv2D(4, 3, strides=2, kernel_initializer=kernel(3), name="last")(block)
    return keras.Model(inputs, last, name="residual")


def test_functional_networks_with_branches_and_inner_models_are_joined(calls):
    networks = [build_residual() for _ in range(3)]
    options = {}, {"layers": 2, "pooling": ["max"]}, {"layers": ["last"], "mirror": True}
    backbones = [
        make_poster(network=network, preprocessing="unit", **option).get_backbone()
        for network, option in zip(networks, options, strict=True)
    ]
    model = check_joined(backbones)
    assert len(model.weights) == len(networks[0].weights) == 6
    calls.clear()
    model(PIXELS)
    # Three convolutions of the images, and three of the mirrored images.
    assert len(calls) == 6


def test_equal_layers_behind_different_ones_are_not_joined():
    one, other = make_network(1), make_network(2)
    for network in (one, other):
        network.add(layers.Conv2D(3, 1, kernel_initializer="ones"))
    found = join_backbones([one, other, one])
    assert [positions for _, positions in found] == [[0, 2], [1]]
    assert found[1][0] is other


def test_a_layer_is_run_for_each_of_its_inputs(calls):
    model = check_joined(backbones_of({}, {"preprocessing": "unit"}))
    calls.clear()
    model(PIXELS)
    assert len(calls) == 2


def test_operations_are_equal_only_with_equal_settings():
    def build(axis):
        inputs = keras.Input((8, 8, 3))
        dense = layers.Dense(2, kernel_initializer=keras.initializers.Constant(0.1))
        return InferenceModel(inputs, keras.ops.mean(dense(inputs), axis=axis))

    model = check_joined([build(1), build(2), build(1)])
    assert len([each for each in model.operations if type(each).__name__ == "Mean"]) == 2


def test_arrays_in_a_graph_are_compared_as_a_whole():
    def build(value):
        inputs = keras.Input((8, 8, 3))
        dense = layers.Dense(2, kernel_initializer=keras.initializers.Constant(0.1))
        constant = np.zeros((8, 200, 2), dtype="float32")
        constant[4, 100, 1] = value
        return InferenceModel(inputs, keras.ops.max(dense(inputs)[:, :, :1] + constant, axis=2))

    check_joined([build(1e6), build(2e6)])


def test_a_layer_with_several_outputs_is_run_once():
    def build(number):
        inputs = keras.Input((8, 8, 3))
        dense = layers.Dense(2, kernel_initializer=keras.initializers.Constant(0.1))
        return InferenceModel(inputs, keras.ops.split(dense(inputs), 2, axis=3)[number])

    model = check_joined([build(0), build(1), build(1)])
    assert len([each for each in model.operations if type(each).__name__ == "Split"]) == 1


def test_functions_without_a_configuration_are_never_taken_for_equal():
    def build(factor):
        function = layers.Lambda(lambda tensor: tensor * factor, output_shape=(8, 8, 2))
        dense = layers.Dense(2, kernel_initializer=keras.initializers.Constant(0.1))
        return keras.Sequential([keras.Input((8, 8, 3)), dense, function])

    assert count(check_joined([build(1), build(2)]), layers.Lambda) == 2


@keras.saving.register_keras_serializable("tests")
class Opaque(keras.Model):
    """A model whose layers are unknown to Keras."""

    def call(self, inputs):
        return super().call(inputs)


def test_a_model_with_its_own_call_stays_alone():
    network = make_network()
    opaque = Opaque(network.inputs[0], network.outputs[0])
    found = join_backbones([opaque, network])
    assert [model for model, _ in found] == [opaque, network]


@pytest.mark.parametrize("n_backbones", [0, 1])
def test_nothing_is_built_for_a_single_backbone(n_backbones):
    backbones = [make_network()] * n_backbones
    assert join_backbones(backbones) == [(backbone, [0]) for backbone in backbones]


def test_networks_whose_layers_share_names_are_not_joined():
    kernel = keras.initializers.GlorotUniform(1)

    def make(scale):
        return keras.Sequential(
            [
                keras.Input((8, 8, 3)),
                layers.Rescaling(scale, name="preprocessing"),
                layers.Conv2D(2, 3, kernel_initializer=kernel),
                layers.GlobalAveragePooling2D(),
            ]
        )

    backbones = [make(1 / 255), make(1 / 127)]
    assert join_backbones(backbones) == [(backbones[0], [0]), (backbones[1], [1])]
