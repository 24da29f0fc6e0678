"""Augmented views: what they depend on, which options are refused, and copies of encoders."""

import json
import random
from concurrent.futures import ThreadPoolExecutor

import cloudpickle
import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image
from sklearn.base import clone

from multimodal_ensemble import FeatureStore, ImageEncoder
from multimodal_ensemble.encoders import Augmentation, DenseHead
from multimodal_ensemble.testing import check_encoder
from tests.fresh_process import run_fresh
from tests.toys import draw_pixels, make_network, make_poster

PIXELS = draw_pixels(6, 8, 8, 3)
VIEWS = np.array([0, 1, 2, 2, 1, 0])
SCRIPT = """
import sys
from concurrent.futures import ThreadPoolExecutor
import numpy as np
sys.path.insert(0, {folder!r})
from test_augmentation import PIXELS, VIEWS, augment, jitter, own
np.save(sys.argv[1], augment(own(jitter()), PIXELS, VIEWS))
"""


def jitter():
    """Return three new layers that draw random numbers."""
    return [
        layers.RandomFlip("horizontal"),
        layers.RandomRotation(0.2),
        layers.RandomBrightness(0.3),
    ]


def own(augmenting=None, *, views=3, seed=0, **options):
    """Return an encoder with a tiny network and, if layers are given, with augmentation."""
    augmentation = None if augmenting is None else Augmentation(augmenting, views=views, seed=seed)
    return make_poster(augmentation=augmentation, **options)


def augment(encoder, images, views):
    encoded = encoder.encode(list(images))
    digests = encoder.content_digests(list(images))
    return encoder.augmentation.apply(encoded, digests, np.asarray(views))


def brighten():
    """Return one new layer that draws random numbers, which is traced faster than `jitter`."""
    return [layers.RandomBrightness(0.3)]


@pytest.fixture(scope="module")
def shared():
    """Return an encoder for the tests that do not change it: its layers are traced once."""
    return own(jitter())


@pytest.fixture(scope="module")
def expected(shared):
    return augment(shared, PIXELS, VIEWS)


# -- what views depend on --------------------------------------------------------------------------


def test_a_view_has_the_shape_of_the_image_and_differs_from_it(expected):
    views = expected
    assert views.dtype == np.float32
    assert views.shape == PIXELS.shape
    assert views.min() >= 0
    assert views.max() <= 255
    assert all(not np.array_equal(view, image) for view, image in zip(views, PIXELS, strict=True))


def test_views_do_not_depend_on_order_batch_or_earlier_calls(shared, expected):
    order = [3, 0, 5, 1, 4, 2]
    np.testing.assert_array_equal(augment(shared, PIXELS[order], VIEWS[order]), expected[order])
    other = own(jitter())
    for row in order:
        np.testing.assert_array_equal(augment(other, PIXELS[[row]], VIEWS[[row]])[0], expected[row])


def test_views_do_not_depend_on_global_generators_nor_change_them(expected):
    other = own(jitter())
    random.seed(5)
    np.random.seed(5)
    keras.random.uniform((3,))
    before = random.getstate(), np.random.get_state()[1].tolist()
    np.testing.assert_array_equal(augment(other, PIXELS, VIEWS), expected)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before


def test_a_clone_draws_nothing_from_python_s_generator(shared, expected):
    before = random.getstate()
    copy = clone(shared)
    assert random.getstate() == before
    assert copy.augmentation is not shared.augmentation
    np.testing.assert_array_equal(augment(copy, PIXELS, VIEWS), expected)


@pytest.mark.slow
def test_another_process_computes_the_same_views(tmp_path, request):
    path = tmp_path / "views.npy"
    run_fresh(SCRIPT.format(folder=str(request.path.parent)), path)
    np.testing.assert_array_equal(np.load(path), augment(own(jitter()), PIXELS, VIEWS))


def test_views_depend_on_number_seed_and_content(shared):
    same = np.repeat(PIXELS[:1], 3, axis=0)
    views = augment(shared, same, [0, 1, 2])
    others = augment(own(jitter(), seed=1), same, [0, 1, 2])
    flat = np.concatenate([views, others]).reshape(6, -1)
    assert len(np.unique(flat, axis=0)) == 6
    # The draws depend on the content: two images are not changed in the same way.
    grey = np.repeat(np.arange(100, 106, dtype="uint8"), 192).reshape(PIXELS.shape)
    bright = augment(own(layers.RandomBrightness(0.3)), grey, [0] * 6)
    changes = bright[:, 0, 0, 0] - grey[:, 0, 0, 0]
    assert len(np.unique(changes.round(2))) == 6


def test_views_do_not_depend_on_the_seeds_of_layers():
    one = own(layers.RandomRotation(0.2, seed=1))
    other = own(layers.RandomRotation(0.2, seed=2))
    np.testing.assert_array_equal(augment(one, PIXELS, VIEWS), augment(other, PIXELS, VIEWS))


def test_two_equal_layers_draw_independently():
    once = augment(own(layers.RandomBrightness(0.1)), PIXELS[:1] // 4 + 90, [0]) - 90
    twice = augment(own([layers.RandomBrightness(0.1) for _ in "ab"]), PIXELS[:1] // 4 + 90, [0])
    first = once - PIXELS[:1] // 4
    second = twice - 90 - once
    assert abs(first.mean() - second.mean()) > 1e-3


def test_copies_of_a_file_have_the_same_views(tmp_path, shared):
    for number, image in enumerate(PIXELS):
        Image.fromarray(image).save(tmp_path / f"{number}.png")
    names = [f"{number}.png" for number in range(6)]
    (tmp_path / "copy").mkdir()
    for name in names:
        (tmp_path / "copy" / name).write_bytes((tmp_path / name).read_bytes())
    one, other = (
        own(root=root).set_params(augmentation=shared.augmentation)
        for root in (tmp_path, tmp_path / "copy")
    )
    np.testing.assert_array_equal(augment(one, names, VIEWS), augment(other, names, VIEWS))


@pytest.mark.slow
@pytest.mark.parametrize(
    "wrap",
    [
        tuple,
        keras.Sequential,
        lambda made: [made[0], keras.Sequential(made[1:])],
        lambda made: [keras.Sequential([*made[:1], keras.Sequential(made[1:2])]), made[2]],
    ],
    ids=["tuple", "model", "partly a model", "nested"],
)
def test_layers_and_models_of_them_make_the_same_views(wrap, shared, expected):
    encoder = own(wrap(jitter()))
    np.testing.assert_array_equal(augment(encoder, PIXELS, VIEWS), expected)
    assert digests(encoder) == digests(shared)


def test_one_layer_may_stand_for_a_list():
    np.testing.assert_array_equal(
        augment(own(layers.RandomBrightness(0.3)), PIXELS, VIEWS),
        augment(own([layers.RandomBrightness(0.3)]), PIXELS, VIEWS),
    )


def test_a_layer_without_randomness_makes_equal_views():
    views = augment(own(layers.Rescaling(0.5)), PIXELS[:1].repeat(3, axis=0), [0, 1, 2])
    np.testing.assert_array_equal(views, PIXELS[:1].repeat(3, axis=0) / np.float32(2))


def test_layers_augment_although_the_backbone_is_in_inference_mode():
    flipped = augment(
        own(layers.RandomFlip("horizontal"), views=50), PIXELS[:1].repeat(50, 0), range(50)
    )
    is_flipped = (flipped == PIXELS[0, :, ::-1]).all(axis=(1, 2, 3))
    is_plain = (flipped == PIXELS[0]).all(axis=(1, 2, 3))
    assert (is_flipped ^ is_plain).all()
    assert 10 < is_flipped.sum() < 40


# -- options ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("views", [0, -1, "4", 1.5, None, True])
def test_views_are_at_least_one(views):
    with pytest.raises(ValueError, match="views must be a whole number of at least 1"):
        Augmentation(jitter(), views=views)


@pytest.mark.parametrize("seed", [-1, None, "1"])
def test_a_seed_is_a_whole_number(seed):
    with pytest.raises(ValueError, match="seed must be a whole number of at least 0"):
        Augmentation(jitter(), seed=seed)


@pytest.mark.parametrize("layers", ["flip", [1], 3, [layers.RandomFlip(), "flip"], [None], [], ()])
def test_anything_but_layers_is_refused(layers):
    match = r"layers must be one or more Keras layers .*RandomFlip.* Received layers="
    with pytest.raises(ValueError, match=match):
        Augmentation(layers)
    encoder = own(jitter())
    with pytest.raises(ValueError, match=match):
        encoder.set_params(augmentation__layers=layers)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (layers.Resizing(4, 4), "(4, 4, 3)"),
        (layers.CenterCrop(8, 6), "(8, 6, 3)"),
        (layers.Flatten(), "(192,)"),
        (layers.Conv2D(3, 2), "(7, 7, 3)"),
        (layers.Conv2D(1, 1), "(8, 8, 1)"),
    ],
)
def test_layers_that_change_the_shape_are_refused(layer, shape):
    with pytest.raises(ValueError, match=r"must keep the shape of an image") as info:
        augment(own(layer), PIXELS, VIEWS)
    assert "images of shape (8, 8, 3)" in str(info.value)
    assert f"returned {shape}." in str(info.value)


def test_the_option_can_be_changed():
    encoder = own()
    before = encoder.content_digests(list(PIXELS))
    encoder.set_params(augmentation=Augmentation(brighten()), augmentation__seed=5)
    np.testing.assert_array_equal(
        augment(encoder, PIXELS, VIEWS), augment(own(brighten(), seed=5), PIXELS, VIEWS)
    )
    assert encoder.content_digests(list(PIXELS)) == before


# -- copies ----------------------------------------------------------------------------------------


def through_json(encoder):
    return ImageEncoder.from_config(json.loads(json.dumps(encoder.get_config())))


def through_keras(encoder):
    config = keras.saving.serialize_keras_object(encoder)
    return keras.saving.deserialize_keras_object(json.loads(json.dumps(config)))


@pytest.mark.slow
@pytest.mark.parametrize("make_copy", [through_json, through_keras, clone])
@pytest.mark.parametrize("make_layers", [brighten, lambda: keras.Sequential(jitter()[:1])])
def test_copies_have_the_same_views(make_copy, make_layers):
    encoder = own(make_layers(), views=5, seed=3)
    unused = make_copy(encoder)
    expected = augment(encoder, PIXELS, VIEWS)
    np.testing.assert_array_equal(augment(unused, PIXELS, VIEWS), expected)
    copy = make_copy(encoder)
    assert (copy.augmentation.views, copy.augmentation.seed) == (5, 3)
    assert digests(copy) == digests(encoder)
    np.testing.assert_array_equal(augment(copy, PIXELS, VIEWS), expected)


def test_an_augmentation_changes_neither_the_backbone_nor_the_plain_images():
    plain, augmented = own(), own(jitter())
    np.testing.assert_array_equal(plain.encode(list(PIXELS)), augmented.encode(list(PIXELS)))
    assert plain.content_digests(list(PIXELS)) == augmented.content_digests(list(PIXELS))
    np.testing.assert_array_equal(plain.get_backbone()(PIXELS), augmented.get_backbone()(PIXELS))
    assert plain.encoding_config() == augmented.encoding_config()


# -- digests of views ------------------------------------------------------------------------------


def digests(encoder, view=0):
    return encoder.augmentation.view_digests(encoder.content_digests(list(PIXELS)), view)


def test_digests_depend_on_everything_that_views_depend_on():
    encoders = [
        own(jitter()),
        own(jitter(), seed=1),
        own(jitter()[::-1]),
        own(jitter()[:2]),
        own([layers.RandomFlip("vertical"), *jitter()[1:]]),
        own([*jitter()[:2], layers.RandomBrightness(0.31)]),
    ]
    found = [
        digest for encoder in encoders for view in range(3) for digest in digests(encoder, view)
    ]
    plain = encoders[0].content_digests(list(PIXELS))
    assert len({*found, *plain}) == len(found) + len(plain)
    assert all(len(digest) == 32 for digest in found)


def test_digests_do_not_depend_on_anything_else(shared):
    expected = digests(own(jitter()))
    named = [layers.RandomFlip("horizontal", name="a", seed=4), *jitter()[1:]]
    assert digests(own(named)) == expected
    assert digests(own(keras.Sequential(jitter(), name="b"))) == expected
    assert digests(own(jitter(), views=9, head=DenseHead(3), trainable_layers=1)) == expected
    augment(shared, PIXELS, VIEWS)
    assert digests(shared) == expected


# -- copies for workers ----------------------------------------------------------------------------


def test_a_copy_without_the_backbone_encodes_and_augments_in_the_same_way():
    encoder = own(brighten(), seed=2, resampling="nearest")
    encoder.get_backbone()
    copy = encoder.without_backbone()
    large = draw_pixels(6, 20, 30, 3)
    np.testing.assert_array_equal(copy.encode(list(large)), encoder.encode(list(large)))
    np.testing.assert_array_equal(augment(copy, large, VIEWS), augment(encoder, large, VIEWS))
    assert digests(copy, 1) == digests(encoder, 1)
    assert copy.encoding_config() == encoder.encoding_config()
    assert (copy.name, copy.augmentation.views, copy.input_shape) == ("poster", 3, (8, 8, 3))


@pytest.mark.slow
def test_a_copy_without_the_backbone_is_small_to_send_also_after_another_was_used():
    encoder = ImageEncoder(
        "poster",
        backbone="MobileNet",
        weights=None,
        image_size=32,
        augmentation=Augmentation(brighten()),
        seed=1,
    )
    images = draw_pixels(6, 32, 32, 3)
    expected = augment(encoder, images, VIEWS)
    encoder.get_backbone()
    augment(encoder.without_backbone(), images, VIEWS)
    sent = cloudpickle.dumps(encoder.without_backbone())
    assert len(sent) < 100_000
    received = cloudpickle.loads(sent)
    np.testing.assert_array_equal(augment(received, images, VIEWS), expected)


@pytest.mark.parametrize("root", [None, "posters"])
def test_a_copy_reads_relative_paths_from_another_working_directory(tmp_path, monkeypatch, root):
    (tmp_path / "posters").mkdir()
    (tmp_path / "elsewhere").mkdir()
    Image.fromarray(PIXELS[0]).save(tmp_path / "posters" / "0.png")
    monkeypatch.chdir(tmp_path)
    encoder = own(brighten(), root=root)
    names = ["posters/0.png" if root is None else "0.png"]
    expected = augment(encoder, names, [1])
    sent = cloudpickle.dumps(encoder.without_backbone())
    monkeypatch.chdir(tmp_path / "elsewhere")
    received = cloudpickle.loads(sent)
    np.testing.assert_array_equal(augment(received, names, [1]), expected)
    np.testing.assert_array_equal(received.encode([tmp_path / "posters" / "0.png"]), PIXELS[:1])


# -- stores, threads and subclasses ----------------------------------------------------------------


@pytest.mark.slow
def test_an_encoder_with_augmentation_fulfils_the_contract():
    check_encoder(own(jitter(), trainable_layers=1), list(PIXELS))


def test_stored_features_of_a_view_equal_computed_ones(tmp_path, shared):
    encoder = shared
    store = FeatureStore(tmp_path / "store", dtype="float32", batch_size=4)
    for view in range(3):
        stored = store.get_features(encoder, list(PIXELS), view=view, verbose=0)
        computed = encoder.get_backbone()(augment(encoder, PIXELS, [view] * 6))
        np.testing.assert_allclose(stored, computed, rtol=1e-5, atol=1e-5)


def test_views_are_the_same_from_several_threads(shared):
    encoder = shared
    digests, views = encoder.content_digests(list(PIXELS)), np.arange(6) % 3
    expected = encoder.augmentation.apply(PIXELS, digests, views)

    def one(row):
        return encoder.augmentation.apply(PIXELS[[row]], [digests[row]], views[[row]])[0]

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(one, list(range(6)) * 10))
    for row, image in enumerate(found):
        np.testing.assert_array_equal(image, expected[row % 6])


class FramedEncoder(ImageEncoder):
    """A subclass with its own argument that learns something."""

    def __init__(self, name, *, border=1, backbone="MobileNet"):
        super().__init__(name, backbone=backbone)
        self.border = border

    def fit(self, values):
        self.level_ = 5
        return self


def test_a_copy_without_the_backbone_keeps_what_a_subclass_added():
    copy = FramedEncoder("poster", backbone=make_network(), border=3).fit([]).without_backbone()
    assert (copy.border, copy.level_, copy.input_shape) == (3, 5, (8, 8, 3))


@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.Pipeline([layers.RandomFlip()]),
        lambda: keras.Model(inputs := keras.Input((8, 8, 3)), layers.RandomFlip()(inputs)),
    ],
    ids=["Pipeline", "functional"],
)
def test_digests_do_not_depend_on_names_inside_composite_layers(make):
    assert digests(own(make())) == digests(own(make()))


class DrawnWhenTraced(layers.Layer):
    """Draws from Python's generator, like some layers of Keras, for example AugMix."""

    def call(self, inputs):
        return inputs * random.random()


def test_a_layer_that_draws_from_pythons_generator_is_repeatable():
    views = [augment(own(DrawnWhenTraced()), PIXELS, VIEWS) for _ in "ab"]
    np.testing.assert_array_equal(*views)


def test_one_augmentation_serves_encoders_of_different_sizes():
    augmentation = Augmentation(brighten(), views=3)
    small = own().set_params(augmentation=augmentation)
    large = ImageEncoder("large", weights=None, image_size=32, augmentation=augmentation)
    images = draw_pixels(6, 32, 32, 3)
    alone = ImageEncoder(
        "large", weights=None, image_size=32, augmentation=Augmentation(brighten(), views=3)
    )
    expected = augment(alone, images, VIEWS)
    first = augment(small, PIXELS, VIEWS)
    np.testing.assert_array_equal(augment(large, images, VIEWS), expected)
    np.testing.assert_array_equal(augment(small, PIXELS, VIEWS), first)
