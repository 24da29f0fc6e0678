"""What the package knows about the networks of `keras.applications`, compared with Keras."""

import inspect
import random
import threading
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest

from multimodal_ensemble import ImageEncoder
from multimodal_ensemble._random import seeded_layers
from multimodal_ensemble.encoders import ApplicationPreprocessing
from multimodal_ensemble.encoders._applications import (
    application_names,
    default_size,
    find_application,
    find_preprocessing,
)

NAMES = application_names()
PIXELS = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3)).astype("float32")


def public_module(name):
    """Return the public module of `keras.applications` that holds the network."""
    modules = [
        module
        for module in vars(keras.applications).values()
        # Older releases call the public modules keras.api.applications.
        if inspect.ismodule(module) and ".applications." in module.__name__
    ]
    if name.startswith("MobileNetV3"):
        # These two networks are only at the top level; their module holds the preprocessing.
        return keras.applications.mobilenet_v3
    # ResNet50 is in two modules, which share their preprocessing.
    return next(module for module in modules if hasattr(module, name))


def test_exactly_the_networks_of_the_public_modules_are_found():
    modules = [module for module in vars(keras.applications).values() if inspect.ismodule(module)]
    public = {
        name
        for module in modules
        for name, value in vars(module).items()
        if callable(value) and name[0].isupper()
    }
    assert set(NAMES) == public | {"MobileNetV3Large", "MobileNetV3Small"}


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("MobileNetV3")])
def test_the_default_size_is_the_default_of_the_network(name, monkeypatch):
    # Every network calls this function for its input shape before it builds anything.
    utils = inspect.getmodule(find_application(name)).imagenet_utils

    class AskedError(Exception):
        pass

    def ask(input_shape, default_size, **kwargs):
        raise AskedError(default_size)

    monkeypatch.setattr(utils, "obtain_input_shape", ask)
    with pytest.raises(AskedError) as asked:
        find_application(name)(weights=None)
    assert asked.value.args == (default_size(name),)
    assert ImageEncoder("poster", backbone=name).input_shape == (*asked.value.args * 2, 3)


@pytest.mark.parametrize("name", ["MobileNetV3Large", "MobileNetV3Small"])
def test_the_default_size_is_documented_if_a_network_takes_any_size(name):
    assert "(224, 224, 3)" in find_application(name).__doc__
    assert default_size(name) == 224


@pytest.mark.parametrize("name", NAMES)
def test_the_preprocessing_comes_from_the_public_module_of_the_network(name):
    module = public_module(name)
    assert find_preprocessing(name) is module.preprocess_input
    layer = ApplicationPreprocessing(name)
    expected = module.preprocess_input(PIXELS.copy())
    np.testing.assert_allclose(layer(PIXELS), expected, rtol=1e-5, atol=1e-5)
    assert layer(keras.Input((None, None, 3))).shape == (None, None, None, 3)
    assert layer.compute_output_shape((None, 5, 4, 3)) == (None, 5, 4, 3)


def caffe(pixels):
    return pixels[..., ::-1] - np.array([103.939, 116.779, 123.68])


def torch(pixels):
    return (pixels / 255 - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225])


@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("VGG16", caffe),
        ("ResNet50", caffe),
        ("MobileNet", lambda pixels: pixels / 127.5 - 1),
        ("InceptionV3", lambda pixels: pixels / 127.5 - 1),
        ("DenseNet121", torch),
        ("EfficientNetB0", lambda pixels: pixels),
        ("ConvNeXtTiny", lambda pixels: pixels),
    ],
)
def test_the_preprocessing_is_the_published_formula(name, formula):
    layer = ApplicationPreprocessing(name)
    np.testing.assert_allclose(layer(PIXELS), formula(PIXELS), rtol=1e-4, atol=1e-4)


def test_the_configuration_of_the_preprocessing_layer_is_complete():
    layer = ApplicationPreprocessing("VGG16", name="mine")
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert (copy.application, copy.name) == ("VGG16", "mine")


@pytest.mark.parametrize("name", ["vgg16", "VGG", "", "imagenet_utils", "keras"])
def test_an_unknown_network_is_refused_with_a_list_of_networks(name):
    with pytest.raises(ValueError, match=rf"has no network '{name}'. It has .*VGG16.*keras.Model"):
        ImageEncoder("poster", backbone=name)


@pytest.mark.parametrize("seed", [0, 7])
def test_seeded_layers_are_repeatable_and_keep_the_state_of_python_s_generator(seed):
    def build():
        return keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).get_weights()[0]

    before = random.getstate()
    with seeded_layers(seed):
        first = build()
        other = build()
    assert random.getstate() == before
    random.seed(99)
    with seeded_layers(seed):
        again = build()
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    with seeded_layers(seed + 1):
        assert not np.array_equal(first, build())


def test_seeded_layers_restore_the_state_after_an_error():
    before, function = random.getstate(), random.random

    def fail_after_a_draw():
        with seeded_layers(3):
            return random.random() / 0

    with pytest.raises(ZeroDivisionError):
        fail_after_a_draw()
    assert random.getstate() == before
    assert random.random is function


def test_seeded_layers_in_another_thread_do_not_meet():
    def draw():
        return keras.random.SeedGenerator().state.numpy().tolist()

    random.seed(4)
    expected_outside = [draw(), draw(), random.random()]
    with seeded_layers(1):
        expected = [draw(), draw()]
    entered, leaves = threading.Event(), threading.Event()

    def other_thread():
        with seeded_layers(2):
            entered.set()
            leaves.wait()
            return draw()

    random.seed(4)
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(other_thread)
        entered.wait()
        # The block of the other thread has begun and does not affect this one.
        outside = [draw()]
        with seeded_layers(1):
            found = [draw()]
            with seeded_layers(7):
                draw()
            leaves.set()
            drawn_by_other = other.result()
            found.append(draw())
        outside += [draw(), random.random()]
    assert found == expected
    assert outside == expected_outside
    with seeded_layers(2):
        assert draw() == drawn_by_other


def test_seeded_layers_without_a_seed_change_nothing():
    random.seed(5)
    expected = random.random()
    random.seed(5)
    with seeded_layers(None):
        assert random.random() == expected
