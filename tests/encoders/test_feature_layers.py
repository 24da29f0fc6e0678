"""Features of several poolings and layers of a network, and of mirrored views."""

import json

import keras
import numpy as np
import pytest
from keras import layers
from sklearn.base import clone

from multimodal_ensemble import ImageEncoder
from multimodal_ensemble.encoders import ApplicationPreprocessing, InferenceModel, split_backbone
from multimodal_ensemble.exceptions import ModalityError
from multimodal_ensemble.features import model_fingerprint
from tests.toys import make_network, make_poster, use_shallow_network

PIXELS = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), dtype="uint8")


@pytest.fixture(scope="module")
def network():
    """Return a network with maps of 16, 8 and 4 pixels, a block with branches, and padding."""
    inputs = keras.Input((16, 16, 3))
    first = layers.Conv2D(4, 3, padding="same", name="first")(inputs)
    wide = layers.ReLU(name="wide")(first)
    padded = layers.ZeroPadding2D(1, name="padded")(wide)
    halved = layers.Conv2D(5, 3, strides=2, name="halved")(padded)
    # The last layers inside the block have the size of the maps behind it.
    branch = layers.Conv2D(5, 3, padding="same", name="branch")(halved)
    block = layers.Add(name="block")([halved, branch])
    last = layers.Conv2D(6, 3, strides=2, padding="same", activation="relu", name="last")(block)
    return keras.Model(inputs, last, name="network")


def maps_of(network, name):
    model = keras.Model(network.inputs[0], network.get_layer(name).output)
    return np.asarray(model(PIXELS.astype("float32"), training=False))


def pool(maps, kinds=("avg",)):
    functions = {"avg": np.mean, "max": np.max}
    return np.concatenate([functions[kind](maps, axis=(1, 2)) for kind in kinds], axis=1)


def poster(network, **options):
    return make_poster(network=network, **options)


def features_of(encoder, pixels=PIXELS):
    return np.asarray(encoder.get_backbone()(pixels))


@pytest.mark.parametrize("kinds", [("avg", "max"), ["max", "avg"], ("max",)], ids=str)
def test_several_poolings_are_joined_in_their_order(network, kinds):
    encoder = poster(network, pooling=kinds)
    expected = pool(maps_of(network, "last"), kinds)
    assert encoder.feature_shape == (6 * len(kinds),)
    np.testing.assert_allclose(features_of(encoder), expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(
    ("chosen", "names"),
    [
        (1, ["last"]),
        (2, ["block", "last"]),
        (3, ["wide", "block", "last"]),
        (["last", "first", "branch"], None),
        (("halved",), None),
    ],
    ids=str,
)
def test_layers_are_joined_by_number_of_sizes_or_by_name(network, chosen, names):
    encoder = poster(network, layers=chosen, pooling=("max", "avg"))
    expected = [pool(maps_of(network, name), ("max", "avg")) for name in names or chosen]
    np.testing.assert_allclose(
        features_of(encoder), np.concatenate(expected, axis=1), rtol=1e-5, atol=1e-4
    )


def test_layers_behind_the_last_one_that_is_chosen_are_left_out(network):
    backbone = poster(network, layers=["wide"]).get_backbone()
    assert [weight.path.split("/")[-2] for weight in backbone.weights] == ["first"] * 2


def test_a_vector_at_the_end_of_a_network_is_not_pooled():
    network = make_network(size=16)
    network.add(layers.Flatten())
    assert poster(network, pooling=("avg", "max")).feature_shape == (4 * 14 * 14,)
    encoder = poster(network, layers=2, pooling=("avg", "max"))
    assert encoder.feature_shape == (2 * 4 + 4 * 14 * 14,)


def test_a_network_of_keras_has_the_same_features_as_its_layers(monkeypatch):
    use_shallow_network(monkeypatch, "MobileNet")
    options = {"backbone": "MobileNet", "weights": None, "image_size": 16, "seed": 1}
    encoder = ImageEncoder("poster", layers=2, pooling=("avg", "max"), **options)
    (network,) = (m for m in encoder.get_backbone().layers if isinstance(m, keras.Model))
    plain = keras.applications.MobileNet(
        include_top=False, weights=None, input_shape=(16, 16, 3), pooling=None
    )
    plain.set_weights(network.get_weights())
    maps = np.asarray(plain(PIXELS / np.float32(127.5) - 1, training=False))
    last = pool(maps, ("avg", "max"))
    assert features_of(encoder).shape == (3, 64 + 2048)
    np.testing.assert_allclose(features_of(encoder)[:, 64:], last, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("is_named", [True, False])
def test_features_of_one_pooling_of_the_output_have_the_key_of_the_plain_network(
    network, monkeypatch, is_named
):
    use_shallow_network(monkeypatch, "MobileNet")
    options = {"seed": 1, "weights": None, "image_size": 16} if is_named else {}
    encoder = ImageEncoder("poster", backbone="MobileNet" if is_named else network, **options)
    keys = {
        model_fingerprint(encoder.set_params(pooling=p).get_backbone()) for p in (["avg"], "avg")
    }
    inputs = keras.Input((16, 16, 3))
    if is_named:
        plain = keras.applications.MobileNet(
            include_top=False, weights=None, input_shape=(16, 16, 3), pooling="avg"
        )
        plain.set_weights(encoder.get_backbone().get_weights())
        outputs = plain(ApplicationPreprocessing("MobileNet")(inputs))
    else:
        pooling = layers.GlobalAveragePooling2D(data_format="channels_last")
        outputs = pooling(network(inputs))
    # Features that were stored before there were other options are still found.
    assert keys == {model_fingerprint(InferenceModel(inputs, outputs))}


def test_each_choice_has_a_key_of_its_own(network):
    choices = [
        {},
        {"pooling": ("avg", "max")},
        {"pooling": ("max", "avg")},
        {"layers": 2},
        {"layers": 3},
        {"layers": ["first"]},
        {"layers": ["wide"]},
        {"mirror": True},
    ]
    keys = [model_fingerprint(poster(network, **each).get_backbone()) for each in choices]
    assert len(set(keys)) == len(choices)


@pytest.mark.parametrize("options", [{}, {"layers": 2, "pooling": ("avg", "max")}], ids=str)
def test_mirrored_views_are_averaged(network, options):
    plain, both = poster(network, **options), poster(network, mirror=True, **options)
    expected = (features_of(plain) + features_of(plain, PIXELS[:, :, ::-1])) / 2
    np.testing.assert_allclose(features_of(both), expected, rtol=1e-5, atol=1e-4)
    mirrored = features_of(both, PIXELS[:, :, ::-1])
    np.testing.assert_allclose(mirrored, expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("chosen", [["wide"], ["last", "first"]], ids=str)
def test_the_options_survive_a_configuration_a_clone_and_a_file(network, tmp_path, chosen):
    encoder = poster(network, layers=chosen, pooling=("avg", "max"), mirror=True)
    read = ImageEncoder.from_config(json.loads(json.dumps(encoder.get_config())))
    read.set_state(encoder.get_state())
    for copy in (clone(encoder), read, clone(read)):
        assert list(copy.pooling) == ["avg", "max"]
        assert list(copy.layers) == chosen
        assert copy.mirror is True
        np.testing.assert_allclose(features_of(copy), features_of(encoder), rtol=1e-6)
    encoder.get_backbone().save(tmp_path / "backbone.keras")
    loaded = keras.models.load_model(tmp_path / "backbone.keras")
    np.testing.assert_allclose(loaded(PIXELS), features_of(encoder), rtol=1e-6)


def test_changed_options_build_another_backbone(network):
    encoder = poster(network)
    for option, size in (
        ({"layers": 2}, 11),
        ({"pooling": ["avg", "max"]}, 22),
        ({"layers": 1}, 12),
    ):
        assert encoder.set_params(**option).feature_shape == (size,)
    backbone = encoder.get_backbone()
    assert encoder.set_params(mirror=True).get_backbone() is not backbone


@pytest.mark.parametrize("outside", [{}, {"layers": 2}], ids=str)
def test_trained_layers_start_behind_the_last_maps_that_are_only_pooled(network, outside):
    encoder = poster(network, pooling=("avg", "max"), **outside).unfreeze(1)
    split = split_backbone(encoder.get_backbone())
    assert split.frozen.output_shape == (None, 8, 8, 5)
    features = split.trained(split.frozen(PIXELS))
    np.testing.assert_allclose(features, features_of(encoder), rtol=1e-5, atol=1e-4)
    names = [weight.path.split("/")[-2] for weight in encoder.get_backbone().trainable_weights]
    assert names == ["last"] * 2


@pytest.mark.parametrize(
    "pooling", ["sum", None, (), ("avg", "sum"), ("avg", "avg"), {"avg": 1}, 1], ids=str
)
def test_other_poolings_are_refused(pooling):
    with pytest.raises(ValueError, match=r"pooling must be 'avg', 'max' or 'cls', or .* Received"):
        ImageEncoder("poster", pooling=pooling)


@pytest.mark.parametrize(
    "chosen", [0, -1, 1.0, True, None, "last", [], [1], ["a", "a"], {"a": 1}], ids=str
)
def test_layers_that_are_neither_a_number_nor_names_are_refused(chosen):
    with pytest.raises(ValueError, match=r"layers must be a whole number .*, or a list of.*ceived"):
        ImageEncoder("poster", layers=chosen)


@pytest.mark.parametrize("chosen", [4, ["last", "lost"], ["last_maps"]], ids=str)
def test_the_error_lists_the_layers_to_choose_from(network, chosen):
    listed = r"'wide' \(16, 16, 4\), 'block' \(8, 8, 5\), 'last' \(4, 4, 6\)\. Received layers="
    with pytest.raises(
        ModalityError, match=rf"number from 1 to 3, or names .* 'network': {listed}"
    ):
        poster(network, layers=chosen).get_backbone()


def test_a_layer_without_feature_maps_is_refused():
    network = make_network()
    network.add(layers.Flatten(name="flat"))
    network.add(layers.Dense(2, name="last"))
    assert poster(network, layers=["last"]).feature_shape == (2,)
    with pytest.raises(ModalityError, match=r"names of layers that return feature maps\..*'flat'"):
        poster(network, layers=["flat"]).get_backbone()


@keras.saving.register_keras_serializable("tests")
class OwnCall(keras.Model):
    """A model whose layers are unknown to Keras."""

    def call(self, inputs):
        return super().call(inputs)


def test_layers_of_a_model_with_its_own_call_are_refused(network):
    model = OwnCall(network.inputs[0], network.outputs[0], name="own")
    assert poster(model, pooling=("avg", "max")).feature_shape == (12,)
    with pytest.raises(ModalityError, match=r"layers=2 needs .*'own' is of type OwnCall; pass lay"):
        poster(model, layers=2).get_backbone()


def test_layers_of_maps_with_their_colours_first_are_refused():
    inputs = keras.Input((8, 8, 3))
    maps = layers.Conv2D(2, 1, data_format="channels_first", name="maps")(inputs)
    model = keras.Model(inputs, layers.Flatten()(maps))
    with pytest.raises(ModalityError, match="channels_first"):
        poster(model, layers=["maps"]).get_backbone()


def test_a_trained_backbone_with_mirrored_views_is_refused():
    message = r"mirror=True needs a frozen backbone, .* Received trainable_layers=.*RandomFlip"
    for options in ({"trainable_layers": 1}, {"trainable_layers": "all"}):
        with pytest.raises(ValueError, match=message):
            make_poster(mirror=True, **options)
        with pytest.raises(ValueError, match=message):
            make_poster(mirror=True).set_params(**options)
    encoder = make_poster(mirror=True)
    with pytest.raises(ValueError, match=message):
        encoder.unfreeze()
    assert encoder.unfreeze(0).trainable_layers == 0


def test_mirror_is_true_or_false():
    with pytest.raises(ValueError, match="mirror must be one of True, False"):
        ImageEncoder("poster", mirror="no")


# -- tokens ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        ("avg", lambda tokens: tokens.mean(axis=1)),
        ("max", lambda tokens: tokens.max(axis=1)),
        ("cls", lambda tokens: tokens[:, 0]),
        (("cls", "avg"), lambda tokens: np.hstack([tokens[:, 0], tokens.mean(axis=1)])),
    ],
    ids=["avg", "max", "cls", "cls and avg"],
)
def test_tokens_of_the_user_s_model_are_pooled(pooling, expected):
    network = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Reshape((16, 12))])
    encoder = ImageEncoder("poster", backbone=network, pooling=pooling)
    pixels = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), dtype="uint8")
    tokens = pixels.reshape(3, 16, 12).astype("float32")
    features = np.asarray(encoder.get_backbone()(pixels))
    np.testing.assert_allclose(features, expected(tokens), rtol=1e-5)


def test_feature_maps_have_no_class_token(monkeypatch):
    use_shallow_network(monkeypatch, "MobileNet")
    encoder = ImageEncoder(
        "poster", backbone="MobileNet", weights=None, image_size=32, pooling=("avg", "cls")
    )
    with pytest.raises(ModalityError, match="pooling='cls' needs a network that returns tokens"):
        encoder.get_backbone()
