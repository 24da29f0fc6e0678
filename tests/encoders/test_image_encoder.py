"""`ImageEncoder`: reading, the backbone compared with `keras.applications`, fine-tuning, saving."""

import functools
import inspect
import io
import json
import random
import re
import traceback
from pathlib import Path
from urllib.error import URLError

import keras
import numpy as np
import pytest
from PIL import Image
from sklearn.base import clone

from multimodal_ensemble import Encoder, ImageEncoder
from multimodal_ensemble.encoders import Augmentation, DenseHead, InferenceModel
from multimodal_ensemble.exceptions import (
    ImageReadError,
    ModalityError,
    WeightsUnavailableError,
)
from multimodal_ensemble.images import UnreadableImageWarning, content_digest, read_image
from tests.toys import make_network, use_shallow_network

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (3, 32, 32, 3), dtype="uint8")


def mobile_net(**options):
    options = {"weights": None, "image_size": 32, "seed": 1, **options}
    return ImageEncoder("poster", backbone="MobileNet", **options)


def small_cnn(shape=(8, 8, 3), *, flat=False, name="small"):
    """Return a network of two convolutions with a batch normalisation between them."""
    layers = [
        keras.Input(shape),
        keras.layers.Conv2D(4, 3, activation="relu", name="first"),
        keras.layers.BatchNormalization(name="norm"),
        keras.layers.Dropout(0.5, name="off"),
        keras.layers.Conv2D(5, 3, name="second"),
    ]
    return keras.Sequential([*layers, *([keras.layers.Flatten()] if flat else [])], name=name)


def own(network=None, **options):
    return ImageEncoder("poster", backbone=network or small_cnn(), **options)


def is_frozen(encoder):
    return encoder.get_backbone().trainable_weights == []


def inner_network(backbone):
    (network,) = [layer for layer in backbone.layers if isinstance(layer, keras.Model)]
    return network


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with two images, a copy, a truncated image and a file that is no image."""
    folder = tmp_path_factory.mktemp("posters")
    for name, level in (("dark.jpg", 40), ("light.jpg", 220)):
        pixels = np.full((20, 10, 3), level, dtype="uint8")
        pixels[:, :3] = (level, 0, 90)
        Image.fromarray(pixels).save(folder / name)
    (folder / "copy.jpg").write_bytes((folder / "dark.jpg").read_bytes())
    buffer = io.BytesIO()
    Image.fromarray(RNG.integers(0, 256, (40, 40, 3), dtype="uint8")).save(buffer, "PNG")
    (folder / "cut.png").write_bytes(buffer.getvalue()[: buffer.tell() // 2])
    (folder / "text.jpg").write_bytes(b"this is no image")
    return folder


# -- reading ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [16, (12, 18), [12, 18], np.int64(16)], ids=str)
def test_encode_reads_each_image_in_the_size_asked_for(folder, size):
    encoder = own(small_cnn((None, None, 3)), image_size=size)
    height, width = size if isinstance(size, tuple | list) else (size, size)
    sources = [folder / "dark.jpg", str(folder / "light.jpg"), PIXELS[0]]
    batch = encoder.encode(sources)
    assert encoder.input_shape == (height, width, 3)
    assert (batch.shape, batch.dtype) == ((3, height, width, 3), np.uint8)
    for row, source in zip(batch, sources, strict=True):
        np.testing.assert_array_equal(row, read_image(source, (height, width)))


def test_resampling_is_passed_to_the_reader_and_is_part_of_the_key_of_features():
    noise = RNG.integers(0, 256, (30, 30, 3), dtype="uint8")
    encoders = {name: own(resampling=name) for name in ("nearest", "lanczos")}
    for name, encoder in encoders.items():
        expected = read_image(noise, (8, 8), resampling=name)
        np.testing.assert_array_equal(encoder.encode([noise])[0], expected)
    one, other = (encoder.encoding_config() for encoder in encoders.values())
    assert one != other
    assert one == json.loads(json.dumps(one))


@pytest.mark.parametrize("as_root", [str, Path])
def test_relative_paths_start_from_root(folder, as_root):
    encoder = own(root=as_root(folder))
    absolute = folder / "dark.jpg"
    np.testing.assert_array_equal(encoder.encode(["dark.jpg"]), own().encode([absolute]))
    assert encoder.content_digests(["dark.jpg"]) == own().content_digests([absolute])
    np.testing.assert_array_equal(encoder.encode([absolute]), own().encode([absolute]))


def test_prepared_rows_are_read_like_the_whole(folder):
    encoder = own(root=folder)
    names = ["dark.jpg", "light.jpg", "copy.jpg"]
    prepared, whole = encoder.prepare(names), encoder.encode(names)
    np.testing.assert_array_equal(encoder.encode(prepared[[2, 1]]), whole[[2, 1]])


def test_equal_bytes_have_equal_digests_under_any_name(folder):
    dark, light, copy = own(root=folder).content_digests(["dark.jpg", "light.jpg", "copy.jpg"])
    assert dark == copy != light
    assert own().content_digests([(folder / "dark.jpg").read_bytes()]) == [dark]
    assert dark == content_digest(folder / "dark.jpg")


# -- images that cannot be read --------------------------------------------------------------------

BAD = ["cut.png", "text.jpg", "missing.jpg"]


@pytest.mark.parametrize("bad", [*BAD, None, float("nan"), ""])
def test_by_default_an_unreadable_image_is_an_error_with_the_options(folder, bad):
    encoder = own(root=folder)
    with pytest.raises(ImageReadError, match=r"cannot be read: .*on_error='blank'") as info:
        encoder.encode(["dark.jpg", bad])
    assert info.value.row == 1
    assert ("missing" if bad is None or bad != bad else str(bad)) in str(info.value)
    assert encoder.find_unusable(["dark.jpg", bad]) == {}
    assert encoder.unreadable == {}


def test_by_default_a_file_that_does_not_exist_has_no_digest(folder):
    with pytest.raises(ImageReadError, match=r"missing\.jpg") as info:
        own(root=folder).content_digests(["dark.jpg", "missing.jpg"])
    assert info.value.row == 1


def test_blank_uses_black_images_and_warns_once_per_image(folder):
    encoder = own(root=folder, on_error="blank")
    with pytest.warns(UnreadableImageWarning, match=r"'poster': 2 images.*cut\.png.*missing") as w:
        batch = encoder.encode(["dark.jpg", "cut.png", "missing.jpg"])
    assert len(w) == 1
    assert not batch[1:].any()
    np.testing.assert_array_equal(batch[:1], own(root=folder).encode(["dark.jpg"]))
    assert set(encoder.unreadable) == {"cut.png", "missing.jpg"}
    assert all(encoder.unreadable.values())
    # There is no second warning: warnings are errors here.
    np.testing.assert_array_equal(encoder.encode(["missing.jpg", "cut.png"]), batch[1:] * 0)
    with pytest.warns(UnreadableImageWarning, match=r"1 image cannot.*1 row: 'text\.jpg"):
        encoder.encode(["cut.png", "text.jpg"])
    assert set(encoder.unreadable) == set(BAD)
    assert encoder.find_unusable(BAD) == {}


@pytest.mark.filterwarnings("ignore::multimodal_ensemble.images.UnreadableImageWarning")
def test_the_digest_of_a_blank_image_is_not_that_of_its_file(folder):
    names = ["dark.jpg", *BAD]
    dark, *blank = own(root=folder, on_error="blank").content_digests(names)
    assert len(set(blank)) == 1
    assert blank[0] != dark == content_digest(folder / "dark.jpg")
    assert blank[0] not in [content_digest(folder / name) for name in BAD[:2]]
    # A real black image has another digest.
    assert blank[0] != content_digest(np.zeros((8, 8, 3), dtype="uint8"))


def test_rows_and_images_are_both_counted(folder):
    encoder = own(root=folder, on_error="drop", optional=True)
    values = ["cut.png"] * 30 + ["dark.jpg", None]
    with pytest.warns(UnreadableImageWarning, match=r"1 image cannot be read .*, in 30 rows: 'cut"):
        assert sorted(encoder.find_unusable(values[:-1])) == list(range(30))
    with pytest.warns(UnreadableImageWarning, match=r"2 images cannot be read .*, in 3 rows: "):
        encoder.find_unusable(["missing.jpg", b"junk", "missing.jpg", "cut.png"])
    assert encoder.count_unreadable(values) == (1, 30)
    assert encoder.count_unreadable([*BAD, "missing.jpg", b"junk", PIXELS[0]]) == (3, 4)
    assert encoder.count_unreadable(["dark.jpg"]) == (0, 0)
    encoder.set_params(optional=False)
    with pytest.warns(UnreadableImageWarning, match=r"2 images cannot be read .*, in 2 rows: "):
        encoder.find_unusable([None, b"junk"])
    assert encoder.count_unreadable([None, b"junk", "dark.jpg"]) == (2, 2)


def test_drop_returns_the_rows_to_leave_out_with_reasons(folder):
    encoder = own(root=folder, on_error="drop")
    with pytest.warns(UnreadableImageWarning, match=r"3 images cannot be read \(on_error='drop'\)"):
        found = encoder.find_unusable([BAD[0], "dark.jpg", BAD[1], BAD[2], "light.jpg"])
    assert sorted(found) == [0, 2, 3]
    assert list(found.values()) == [encoder.unreadable[name] for name in BAD]
    assert "No such file" in found[3]
    with pytest.raises(ImageReadError, match=r"cut\.png"):
        encoder.encode(["cut.png"])


@pytest.mark.filterwarnings("ignore::multimodal_ensemble.images.UnreadableImageWarning")
def test_drop_returns_positions_in_the_whole_data_set():
    images = [PIXELS[0, :2, :2]] * 300
    for position in (0, 127, 128, 299):
        images[position] = b"no image"
    assert sorted(own(on_error="drop").find_unusable(images)) == [0, 127, 128, 299]


# -- the backbone of a network of keras.applications -----------------------------------------------


def features_outside(name, weights, pixels, preprocess, pooling):
    """Return features of the plain network, with preprocessing and pooling outside it."""
    network = getattr(keras.applications, name)(
        include_top=False, weights=None, input_shape=pixels.shape[1:]
    )
    network.set_weights(weights)
    maps = np.asarray(network(preprocess(pixels.astype("float32")), training=False))
    return getattr(np, {"avg": "mean", "max": "max"}[pooling])(maps, axis=(1, 2))


@pytest.mark.parametrize(
    ("name", "module", "pooling"),
    [
        ("VGG16", "vgg16", "avg"),
        ("MobileNet", "mobilenet", "max"),
        pytest.param("DenseNet121", "densenet", "avg", marks=pytest.mark.slow),
        pytest.param("EfficientNetB0", "efficientnet", "max", marks=pytest.mark.slow),
    ],
)
def test_the_backbone_preprocesses_like_keras(name, module, pooling, monkeypatch):
    if name != "VGG16":
        use_shallow_network(monkeypatch, name)
    encoder = ImageEncoder(
        "poster", backbone=name, weights=None, image_size=32, seed=3, pooling=pooling
    )
    backbone = encoder.get_backbone()
    features = backbone(PIXELS)
    expected = features_outside(
        name,
        inner_network(backbone).get_weights(),
        PIXELS,
        getattr(keras.applications, module).preprocess_input,
        pooling,
    )
    assert np.ptp(expected) > 0
    assert features.shape == (3, *encoder.feature_shape) == expected.shape
    np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


@pytest.fixture
def shallow(monkeypatch):
    """Make a MobileNet of few layers."""
    use_shallow_network(monkeypatch, "MobileNet")


@pytest.mark.usefixtures("shallow")
@pytest.mark.parametrize(
    ("preprocessing", "formula"),
    [("unit", lambda x: x / 255), (None, lambda x: x), ("imagenet", lambda x: x / 127.5 - 1)],
)
def test_the_other_kinds_of_preprocessing(preprocessing, formula):
    backbone = mobile_net(preprocessing=preprocessing).get_backbone()
    weights = inner_network(backbone).get_weights()
    expected = features_outside("MobileNet", weights, PIXELS, formula, "avg")
    np.testing.assert_allclose(
        backbone(PIXELS), expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max()
    )


@pytest.mark.usefixtures("shallow")
def test_the_backbone_is_built_once_for_the_size_asked_for():
    encoder = mobile_net(image_size=(32, 48))
    assert encoder.get_backbone() is encoder.get_backbone()
    assert encoder.get_backbone().input_shape == (None, 32, 48, 3)
    assert encoder.feature_shape == (1024,)


def test_an_image_that_is_too_small_for_the_network_is_refused():
    with pytest.raises(ValueError, match="at least 32x32"):
        mobile_net(image_size=31).get_backbone()


@pytest.mark.usefixtures("shallow")
def test_random_weights_are_repeatable_and_keep_the_state_of_python_s_generator():
    before = random.getstate()
    kernels = [
        np.concatenate([w.ravel() for w in mobile_net(seed=seed).get_backbone().get_weights()])
        for seed in (1, 1, 2)
    ]
    assert random.getstate() == before
    np.testing.assert_array_equal(kernels[0], kernels[1])
    assert not np.array_equal(kernels[0], kernels[2])
    unseeded = mobile_net(seed=None).get_backbone().get_weights()[0]
    assert not np.array_equal(unseeded, mobile_net(seed=None).get_backbone().get_weights()[0])


# -- weights ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Return a file of random MobileNet weights and the network."""
    with pytest.MonkeyPatch.context() as patch:
        use_shallow_network(patch, "MobileNet")
        network = keras.applications.MobileNet(
            include_top=False, weights=None, input_shape=(32, 32, 3)
        )
    path = tmp_path_factory.mktemp("weights") / "mobile.weights.h5"
    network.save_weights(path)
    return path, network


@pytest.mark.usefixtures("shallow")
@pytest.mark.parametrize("as_path", [str, Path])
def test_weights_are_read_from_a_file(saved, as_path):
    path, network = saved
    encoder = mobile_net(weights=as_path(path), seed=None)
    maps = np.asarray(network(PIXELS / np.float32(127.5) - 1, training=False))
    np.testing.assert_allclose(
        encoder.get_backbone()(PIXELS), maps.mean((1, 2)), rtol=1e-4, atol=1e-5
    )


def test_weights_of_the_user_s_model_are_read_from_a_file(tmp_path):
    source, target = small_cnn(), small_cnn()
    source.save_weights(tmp_path / "small.weights.h5")
    encoder = own(target, weights=tmp_path / "small.weights.h5")
    expected = np.asarray(source(PIXELS[:, :8, :8].astype("float32"))).mean((1, 2))
    np.testing.assert_allclose(encoder.get_backbone()(PIXELS[:, :8, :8]), expected, rtol=1e-4)


def test_the_user_s_model_keeps_its_weights_by_default():
    network = small_cnn()
    before = [weight.copy() for weight in network.get_weights()]
    own(network).get_backbone()
    for old, new in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def list_tracebacks(error):
    return [line for line in traceback.format_exception(error) if line.startswith("Traceback")]


OPTIONS = r"weights='imagenet' to download.*weights=None for random"


@pytest.mark.usefixtures("shallow")
@pytest.mark.parametrize("name", ["no.weights.h5", "no.h5", "no.keras", "no", "no/such/folder.h5"])
def test_a_weights_file_that_does_not_exist_is_reported_with_the_options(tmp_path, name):
    path = tmp_path / name
    with pytest.raises(
        WeightsUnavailableError, match=rf"{re.escape(str(path))}' of MobileNet does not.*{OPTIONS}"
    ):
        mobile_net(weights=path).get_backbone()


@pytest.mark.usefixtures("shallow")
@pytest.mark.filterwarnings("ignore:Skipping nested container:UserWarning")
@pytest.mark.parametrize("name", ["text.weights.h5", "text.h5", "text.keras", "text.bin", "other"])
def test_a_weights_file_that_does_not_fit_is_reported_with_the_options(tmp_path, name):
    path = tmp_path / (f"{name}.weights.h5" if name == "other" else name)
    if name == "other":
        small_cnn().save_weights(path)
    else:
        path.write_text("not a weights file")
    match = rf"{re.escape(str(path))}' does not fit MobileNet without its classifier"
    with pytest.raises(WeightsUnavailableError, match=rf"(?s){match}.*{OPTIONS}") as raised:
        mobile_net(weights=path).get_backbone()
    assert len(list_tracebacks(raised.value)) == 1


def test_a_failed_download_is_reported_with_the_options(monkeypatch):
    def unreachable(include_top=True, weights="imagenet", **kwargs):
        msg = "URL fetch failure on https://example.org: None -- no route to host"
        raise Exception(msg)  # Keras raises this plain class.

    monkeypatch.setattr(keras.applications, "MobileNet", unreachable)
    match = (
        r"ImageNet weights of MobileNet are not in Keras's cache and could not be downloaded "
        r"\(URL fetch failure.*weights='path/to/file.weights.h5'.*weights=None for random"
    )
    with pytest.raises(WeightsUnavailableError, match=match):
        mobile_net(weights="imagenet").get_backbone()
    with pytest.raises(OSError, match=match):
        mobile_net(weights="imagenet").get_backbone()


def test_the_error_of_keras_about_a_failed_download_is_recognised(monkeypatch, tmp_path):
    files = inspect.getmodule(keras.utils.get_file)

    def fail(*args, **kwargs):
        msg = "no route to host"
        raise URLError(msg)

    monkeypatch.setattr(files, "urlretrieve", fail)
    monkeypatch.setattr(files.config, "keras_home", lambda: str(tmp_path))
    with pytest.raises(WeightsUnavailableError, match=r"not be downloaded .*no route") as raised:
        mobile_net(weights="imagenet", image_size=None).get_backbone()
    # Without the traces of the three errors in Keras and urllib.
    assert len(list_tracebacks(raised.value)) == 1


# -- the user's own network ------------------------------------------------------------------------


@pytest.mark.parametrize("pooling", ["avg", "max"])
def test_feature_maps_of_the_user_s_model_are_pooled_and_vectors_are_not(pooling):
    pixels = PIXELS[:, :8, :8]
    for flat in (False, True):
        network = small_cnn(flat=flat)
        encoder = own(network, pooling=pooling)
        maps = np.asarray(network(pixels.astype("float32"), training=False))
        reduce = {"avg": np.mean, "max": np.max}[pooling]
        expected = maps if flat else reduce(maps, axis=(1, 2))
        assert encoder.feature_shape == expected.shape[1:] == ((80,) if flat else (5,))
        np.testing.assert_allclose(encoder.get_backbone()(pixels), expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    ("preprocessing", "factor"), [("imagenet", 1), (None, 1), ("unit", 1 / 255)]
)
def test_the_user_s_model_receives_raw_pixels_unless_unit_is_asked_for(preprocessing, factor):
    network = small_cnn(flat=True)
    pixels = PIXELS[:, :8, :8]
    expected = network((pixels * factor).astype("float32"), training=False)
    features = own(network, preprocessing=preprocessing).get_backbone()(pixels)
    np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-3)


def test_the_backbone_is_in_inference_mode_in_any_outer_model():
    encoder = own()
    backbone, pixels = encoder.get_backbone(), PIXELS[:, :8, :8]
    expected = np.asarray(backbone(pixels))
    np.testing.assert_array_equal(backbone(pixels, training=True), expected)
    inputs = keras.Input(encoder.input_shape)
    around = keras.Model(inputs, backbone(inputs))
    np.testing.assert_array_equal(around(pixels, training=True), expected)
    encoder.unfreeze()
    np.testing.assert_array_equal(around(pixels, training=True), expected)


def test_a_saved_and_loaded_backbone_is_equal_and_stays_in_inference_mode(tmp_path):
    backbone = own().get_backbone()
    backbone.save(tmp_path / "backbone.keras")
    loaded = keras.models.load_model(tmp_path / "backbone.keras")
    assert isinstance(loaded, InferenceModel)
    pixels = PIXELS[:, :8, :8]
    for training in (True, False):
        np.testing.assert_array_equal(loaded(pixels, training=training), backbone(pixels))


def subclassed():
    class Network(keras.Model):
        def call(self, inputs):
            return inputs

    return Network(name="net")


def joined():
    one, two = keras.Input((8, 8, 3)), keras.Input((8, 8, 3))
    return keras.Model([one, two], keras.layers.Add()([one, two]), name="net")


def with_output(change):
    inputs = keras.Input((8, 8, 3))
    return keras.Model(inputs, change(inputs), name="net")


@pytest.mark.parametrize(
    ("network", "options", "match"),
    [
        (small_cnn((None, None, 3)), {}, r"'small' takes images of any size. Pass image_size="),
        (small_cnn((8, None, 3)), {}, r"'small' takes images of any size. Pass image_size="),
        (
            small_cnn(),
            {"image_size": 9},
            r"of \(8, 8\) pixels. Received image_size=9; leave",
        ),
        (small_cnn((8, None, 3)), {"image_size": (9, 8)}, r"of \(8, None\) pixels"),
        (small_cnn((8, 8, 1)), {}, r"must take RGB images.*'small' takes \(None, 8, 8, 1\)"),
        (small_cnn((8, 8, 4)), {"image_size": 8}, r"'small' takes \(None, 8, 8, 4\)"),
        (with_output(keras.layers.Flatten()), {"image_size": 7}, r"of \(8, 8\) pixels"),
        (keras.Sequential([keras.Input((9,)), keras.layers.Dense(2)]), {}, r"takes \(None, 9\)"),
        (keras.Sequential([keras.layers.Flatten()], name="net"), {}, r"'net' takes None"),
        (subclassed(), {}, r"'net' takes None"),
        (joined(), {}, r"'net' takes \[\(None, 8, 8, 3\), \(None, 8, 8, 3\)\]"),
    ],
    ids=range(11),
)
def test_a_model_that_does_not_take_rgb_images_of_the_size_is_refused(network, options, match):
    with pytest.raises(ModalityError, match=match):
        own(network, **options).get_backbone()


@pytest.mark.parametrize(
    ("network", "returns"),
    [
        (with_output(keras.layers.Reshape((8, 8, 3, 1))), r"\(None, 8, 8, 3, 1\)"),
        (with_output(lambda x: [x, keras.layers.Flatten()(x)]), r"\[\(None, 8, 8, 3\), .*192\)\]"),
    ],
    ids=["video", "two outputs"],
)
def test_a_model_that_returns_no_maps_or_vectors_is_refused(network, returns):
    with pytest.raises(ModalityError, match=rf"must return feature maps.*'net' returns {returns}"):
        own(network).get_backbone()


@pytest.mark.parametrize("size", [6, (6, 7)])
def test_a_model_for_any_size_takes_the_size_asked_for(size):
    encoder = own(small_cnn((None, None, 3)), image_size=size)
    assert encoder.get_backbone()(encoder.encode([PIXELS[0]])).shape == (1, 5)


# -- fine-tuning -----------------------------------------------------------------------------------


def trained_layers(encoder):
    network = inner_network(encoder.get_backbone())
    return [layer.name for layer in network.layers if layer.trainable_weights]


@pytest.mark.usefixtures("shallow")
def test_the_backbone_is_frozen_by_default():
    for encoder in (mobile_net(), own()):
        assert encoder.get_backbone().trainable_weights == []
        assert is_frozen(encoder)
        assert encoder.get_backbone().weights


def test_unfreezing_trains_the_last_layers_except_batch_normalisation():
    encoder = mobile_net(trainable_layers=5)
    network = inner_network(encoder.get_backbone())
    # MobileNet: a convolution, then 13 blocks of two convolutions each.
    convolutions = [layer.name for layer in network.layers if re.match(r"conv\w*\d$", layer.name)]
    convolutions = [name for name in convolutions if network.get_layer(name).weights]
    assert len(convolutions) == 27
    for n_layers, expected in ((5, convolutions[-5:]), (None, convolutions)):
        if n_layers is None:
            assert encoder.unfreeze() is encoder
            assert encoder.trainable_layers == "all"
        assert trained_layers(encoder) == expected
        assert not is_frozen(encoder)
        n_weights = sum(len(network.get_layer(name).weights) for name in expected)
        assert len(encoder.get_backbone().trainable_weights) == n_weights
    assert is_frozen(encoder.unfreeze(0))
    assert encoder.get_backbone().trainable_weights == []


def test_a_second_unfreezing_starts_from_the_frozen_network():
    encoder = own().unfreeze()
    assert trained_layers(encoder) == ["first", "second"]
    assert trained_layers(encoder.unfreeze(1)) == ["second"]
    assert trained_layers(encoder.unfreeze(2)) == ["first", "second"]


def test_layers_of_inner_models_are_counted():
    inner = small_cnn((None, None, 3), name="inner")
    inputs = keras.Input((8, 8, 3))
    last = keras.layers.Conv2D(2, 1, name="last")
    network = keras.Model(inputs, last(inner(inputs)), name="outer")
    backbone = own(network).unfreeze(2).get_backbone()
    trained = {weight.path.split("/")[-2] for weight in backbone.trainable_weights}
    assert trained == {"second", "last"}
    assert len(backbone.trainable_weights) == 4


def test_training_changes_only_the_unfrozen_layers():
    encoder = own().unfreeze(1)
    network = inner_network(encoder.get_backbone())
    before = {layer.name: layer.get_weights() for layer in network.layers}
    inputs = keras.Input(encoder.input_shape)
    scores = keras.layers.Dense(1)(encoder.get_backbone()(inputs))
    model = keras.Model(inputs, scores)
    model.compile("sgd", "mse", run_eagerly=True)
    model.train_on_batch(PIXELS[:, :8, :8] / 255, np.ones((3, 1)))
    changed = {
        layer.name
        for layer in network.layers
        for old, new in zip(before[layer.name], layer.get_weights(), strict=True)
        if not np.array_equal(old, new)
    }
    assert changed == {"second"}


def test_more_layers_than_the_backbone_has_are_refused():
    with pytest.raises(ValueError, match=r"'poster_backbone' has 2 layers to train, not 3"):
        own().unfreeze(3)
    with pytest.raises(ValueError, match=r"has 2 layers to train, not 9"):
        own(trainable_layers=9).get_backbone()


@pytest.mark.parametrize("n_layers", [-1, 1.5, True, "last", "1", [1]])
def test_an_invalid_number_of_layers_is_refused(n_layers):
    with pytest.raises(ValueError, match=r"trainable_layers must be"):
        own().unfreeze(n_layers)
    with pytest.raises(ValueError, match=r"trainable_layers must be"):
        own(trainable_layers=n_layers)


# -- options, configuration, state -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"backbone": 3}, r"backbone must be the name .* or a keras.Model. Received 3 of type int"),
        ({"backbone": keras.layers.Dense(1)}, r"backbone must be .*of type Dense"),
        ({"backbone": keras.applications.VGG16}, r"backbone must be .*of type function"),
        ({"preprocessing": "tf"}, r"preprocessing must be one of 'imagenet', 'unit', None.*'tf'"),
        ({"on_error": "ignore"}, r"on_error must be one of 'raise', 'blank', 'drop'.*'ignore'"),
        ({"head": "dense"}, r"head must be a DenseHead .*head='dense'"),
        ({"augmentation": keras.layers.RandomFlip()}, r"augmentation must be an Augmentation or N"),
        ({"augmentation": ()}, r"augmentation must be .*augmentation=\(\)"),
        ({"name": "a/b"}, r"starting with a letter or digit. Received name='a/b'"),
    ],
    # The address of a function differs between the processes of the tests.
    ids=lambda value: str(value).split(" at 0x")[0],
)
def test_an_option_out_of_range_is_refused_by_name(options, match):
    with pytest.raises(ValueError, match=match):
        ImageEncoder(**{"name": "poster", **options})


@pytest.mark.parametrize(
    "size", [0, -1, 32.0, (32.5, 32), (32,), (32, 32, 3), "32", True, (0, 8), [None, 8]], ids=str
)
def test_an_invalid_image_size_is_refused(size):
    with pytest.raises(ValueError, match=rf"image_size must be .*{re.escape(repr(size))}"):
        _ = mobile_net(image_size=size).input_shape


def test_an_unknown_filter_is_refused():
    with pytest.raises(ValueError, match=r"resampling must be one of 'nearest'.*'sharp'"):
        own(resampling="sharp").encode([PIXELS[0]])


def test_parameters_are_the_arguments_of_the_constructor():
    network = small_cnn()
    params = own(network).get_params(deep=False)
    assert set(params) == set(inspect.signature(ImageEncoder).parameters)
    assert params["backbone"] is network


@pytest.mark.parametrize(
    ("params", "is_built_again"),
    [
        ({"pooling": "max"}, True),
        ({"trainable_layers": 1}, True),
        ({"seed": 2, "head__units": 9}, True),
        ({"head__units": 9}, False),
        ({"on_error": "blank", "optional": True, "root": "folder"}, False),
        ({"augmentation": Augmentation([keras.layers.RandomFlip()])}, False),
    ],
    ids=str,
)
def test_set_params_builds_the_backbone_again_only_where_needed(params, is_built_again):
    encoder = own()
    backbone = encoder.get_backbone()
    assert encoder.set_params(**params) is encoder
    assert (encoder.get_backbone() is not backbone) is is_built_again


def test_set_params_with_another_size_changes_the_backbone():
    encoder = own(small_cnn((None, None, 3)), image_size=8)
    encoder.get_backbone()
    assert encoder.set_params(image_size=9).get_backbone().input_shape == (None, 9, 9, 3)


def test_set_params_handles_the_arguments_of_a_subclass():
    class Framed(ImageEncoder):
        def __init__(self, name, *, border=1, backbone="MobileNet", head=None):
            super().__init__(name, backbone=backbone, head=head)
            self.border = border

    encoder = Framed("poster", border=5).set_params(head__units=8)
    assert (encoder.border, encoder.head.units) == (5, 8)
    assert encoder.set_params(border=6).get_params()["border"] == 6


@pytest.mark.usefixtures("shallow")
def test_a_clone_has_the_options_and_a_backbone_of_its_own():
    encoder = mobile_net(head=DenseHead(5))
    encoder.get_backbone()
    copy = clone(encoder)
    assert json.dumps(copy.get_config()) == json.dumps(encoder.get_config())
    assert copy.get_backbone() is not encoder.get_backbone()
    np.testing.assert_array_equal(copy.get_backbone()(PIXELS), encoder.get_backbone()(PIXELS))


def test_a_clone_has_a_copy_of_the_user_s_model():
    network = small_cnn()
    copy = clone(own(network))
    assert copy.get_params()["backbone"] is not network
    pixels = PIXELS[:, :8, :8]
    np.testing.assert_array_equal(copy.get_backbone()(pixels), own(network).get_backbone()(pixels))


@pytest.mark.parametrize(
    "encoder",
    [
        ImageEncoder("poster"),
        ImageEncoder(
            "poster",
            column="file",
            backbone="NASNetLarge",
            weights=Path("some") / "file.weights.h5",
            image_size=(40, 50),
            root=Path("folder"),
            preprocessing="unit",
            trainable_layers="all",
            head=DenseHead(7),
            augmentation=Augmentation([keras.layers.RandomFlip()], views=3),
            seed=5,
        ),
        own(on_error="drop"),
    ],
    ids=["defaults", "options", "own"],
)
def test_the_configuration_as_json_creates_an_equal_encoder(encoder):
    config = json.loads(json.dumps(encoder.get_config()))
    for copy in (
        ImageEncoder.from_config(config),
        keras.saving.deserialize_keras_object(
            json.loads(json.dumps(keras.saving.serialize_keras_object(encoder)))
        ),
    ):
        assert isinstance(copy, Encoder)
        assert json.loads(json.dumps(copy.get_config())) == config
        assert copy.input_shape == encoder.input_shape
    assert set(config) == set(inspect.signature(ImageEncoder).parameters)


def test_paths_are_strings_in_the_configuration():
    encoder = mobile_net(weights=Path("a") / "b.weights.h5", root=Path("c"))
    config = encoder.get_config()
    assert (config["weights"], config["root"]) == (str(Path("a") / "b.weights.h5"), "c")
    assert isinstance(encoder.weights, Path)


@pytest.mark.usefixtures("shallow")
def test_the_state_holds_weights_that_the_configuration_does_not_determine(saved):
    path, _ = saved
    assert mobile_net(weights=path).get_state() == {}
    for encoder in (
        mobile_net(weights=None, seed=None),
        own(),
        mobile_net(weights=path).unfreeze(1),
    ):
        state = encoder.get_state()
        assert set(state) == {"backbone_weights"}
        copy = ImageEncoder.from_config(encoder.get_config()).set_state(state)
        pixels = encoder.encode(list(PIXELS))
        np.testing.assert_array_equal(copy.get_backbone()(pixels), encoder.get_backbone()(pixels))


def test_repr_lists_what_differs_from_the_defaults():
    assert repr(mobile_net()) == (
        "ImageEncoder(backbone='MobileNet',\n"
        "             head=DenseHead(input_dropout=0.8, scaling='log'), image_size=32,\n"
        "             name='poster', seed=1, weights=None)"
    )


def test_the_user_s_model_is_copied():
    network = small_cnn()
    before = network.get_weights()
    first, second = own(network), own(network).unfreeze()
    first.get_backbone()
    assert network.trainable
    assert is_frozen(first)
    assert not is_frozen(second)
    for weight in second.get_backbone().trainable_weights:
        weight.assign(weight.numpy() + 1)
    for old, new in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    for old, new in zip(before, first.get_backbone().get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.filterwarnings("ignore::multimodal_ensemble.images.UnreadableImageWarning")
def test_each_unreadable_source_is_counted():
    encoder = own(on_error="drop")
    found = encoder.find_unusable([b"junk", b"kunk", None, None, PIXELS[0]])
    assert sorted(found) == [0, 1, 2, 3]
    assert len(encoder.unreadable) == 4


def test_equal_images_are_decoded_once(folder, monkeypatch):
    encoder = own(root=folder, on_error="blank")
    read = []
    original = encoder._read
    monkeypatch.setattr(encoder, "_read", lambda values: read.extend(values) or original(values))
    assert encoder.find_unusable(["dark.jpg", "copy.jpg", "light.jpg"]) == {}
    first = list(read)
    encoder.content_digests(["light.jpg", "dark.jpg", "copy.jpg"])
    assert read == first


def test_the_state_holds_what_a_subclass_learned():
    class Counting(ImageEncoder):
        def fit(self, values):
            self.count_ = len(values)
            return self

    encoder = Counting("poster", backbone=small_cnn()).fit(PIXELS)
    copy = Counting("poster", backbone=small_cnn()).set_state(encoder.get_state())
    assert copy.count_ == len(PIXELS)
    for old, new in zip(encoder.get_backbone().weights, copy.get_backbone().weights, strict=True):
        np.testing.assert_array_equal(old.numpy(), new.numpy())


# -- a model with Python functions -----------------------------------------------------------------

BRIGHTNESS = 255.0


def darken(pixels):
    return pixels / np.float32(BRIGHTNESS)


@pytest.mark.parametrize(
    "function",
    [darken, lambda x: x / BRIGHTNESS, functools.partial(lambda x, y: x / y, y=BRIGHTNESS)],
    ids=["named", "lambda", "partial"],
)
@pytest.mark.parametrize("is_nested", [False, True])
def test_a_model_with_a_lambda_layer_is_copied_and_computes_the_same(function, is_nested):
    layers = [keras.Input((32, 32, 3)), keras.layers.Lambda(function), keras.layers.Conv2D(4, 3)]
    network = keras.Sequential(layers)
    if is_nested:
        network = keras.Sequential([keras.Input((32, 32, 3)), network])
    encoder = clone(clone(ImageEncoder("poster", backbone=network)))
    expected = np.asarray(network(PIXELS.astype("float32"))).mean(axis=(1, 2))
    np.testing.assert_allclose(encoder.get_backbone()(PIXELS), expected, rtol=1e-5)
    for weight in encoder.backbone.weights:
        weight.assign(0 * weight)
    np.testing.assert_allclose(
        np.asarray(network(PIXELS.astype("float32"))).mean(axis=(1, 2)), expected
    )


# -- images whose colours come first ---------------------------------------------------------------


@pytest.fixture
def colours_first():
    keras.config.set_image_data_format("channels_first")
    yield
    keras.config.set_image_data_format("channels_last")


@pytest.mark.usefixtures("colours_first")
def test_networks_of_keras_need_the_format_in_which_images_are_read():
    encoder = ImageEncoder("poster", backbone="MobileNet", weights=None, image_size=32)
    with pytest.raises(ModalityError, match=r"'channels_first'.*set_image_data_format"):
        encoder.get_backbone()


@pytest.mark.usefixtures("shallow")
def test_a_backbone_does_not_depend_on_the_format_in_use(request):
    encoder = ImageEncoder("poster", backbone="MobileNet", weights=None, image_size=32)
    pixels = np.arange(32 * 32 * 3).reshape(1, 32, 32, 3) % 256
    before = np.asarray(encoder.get_backbone()(pixels))
    network = make_network(size=32)
    maps = np.asarray(network(PIXELS.astype("float32")))
    request.getfixturevalue("colours_first")
    np.testing.assert_array_equal(encoder.get_backbone()(pixels), before)
    features = ImageEncoder("poster", backbone=network).get_backbone()(PIXELS)
    np.testing.assert_allclose(features, maps.mean(axis=(1, 2)), rtol=1e-5)


def test_a_model_with_colours_first_is_refused_unless_it_returns_vectors():
    inputs, first = keras.Input((3, 8, 8)), {"data_format": "channels_first"}
    network = keras.Sequential([inputs, keras.layers.Conv2D(2, 3, **first)])
    with pytest.raises(ModalityError, match=r"takes \(None, 3, 8, 8\).*Permute"):
        ImageEncoder("poster", backbone=network).get_backbone()
    permuted = [keras.Input((8, 8, 3)), keras.layers.Permute((3, 1, 2)), *network.layers]
    with pytest.raises(ModalityError, match=r"the axes to pool are unclear\. End it with"):
        ImageEncoder("poster", backbone=keras.Sequential(permuted)).get_backbone()
    pooled = keras.Sequential([*permuted, keras.layers.GlobalAveragePooling2D(**first)])
    assert ImageEncoder("poster", backbone=pooled).feature_shape == (2,)
