"""The two parts of a backbone compute what the whole computes, wherever it is split."""

import gc
import weakref

import keras
import numpy as np
import pytest
from keras import layers

from multimodal_ensemble import ImageEncoder
from multimodal_ensemble.encoders import InferenceModel, split_backbone
from multimodal_ensemble.features._compute_dtype import in_bfloat16
from tests.toys import use_shallow_network

ROWS = np.random.default_rng(0).normal(size=(5, 6)).astype("float32")


def dense(units, name, **options):
    """Return a layer whose name shows in a test which layer is trained."""
    return layers.Dense(units, activation="tanh", name=name, **options)


def train(model, *names):
    """Freeze all layers except the named ones, also in inner models."""
    model.trainable = True
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            train(layer, *names)
        else:
            layer.trainable = layer.name in names
    return model


def run(model, rows):
    return np.asarray(model(rows, training=False))


def check_split(backbone, rows=ROWS):
    """Check everything that a split promises, and return it."""
    split = split_backbone(backbone)
    whole = run(backbone, rows)
    assert np.ptp(whole) > 0
    # The parts are connected by numbers only, as with features from a store.
    np.testing.assert_allclose(run(split.trained, run(split.frozen, rows)), whole, atol=1e-6)
    assert split.frozen.weights
    assert split.frozen.trainable_weights == []
    assert ids(split.trained.trainable_weights) == ids(backbone.trainable_weights)
    assert ids(split.frozen.weights + split.trained.weights) >= ids(backbone.weights)
    return split


def ids(weights):
    return {id(weight) for weight in weights}


def weights_of(model):
    return sorted({weight.path.split("/")[-2] for weight in model.weights})


# -- networks of many kinds ------------------------------------------------------------------------


def plain():
    return keras.Sequential(
        [
            keras.Input((6,)),
            layers.Rescaling(2.0),
            dense(5, "a"),
            dense(4, "b"),
            layers.Reshape((2, 2)),
            layers.Flatten(),
            dense(3, "c"),
        ]
    )


@pytest.mark.parametrize(
    ("name", "frozen", "shape"),
    [("b", ["a"], (None, 5)), ("c", ["a", "b"], (None, 4))],
)
def test_a_sequence_is_cut_directly_in_front_of_the_first_trained_layer(name, frozen, shape):
    split = check_split(train(plain(), name, "c"))
    assert split.frozen.output_shape == shape
    assert weights_of(split.frozen) == frozen


def test_layers_without_weights_in_front_of_the_cut_are_in_the_frozen_part():
    split = check_split(train(plain(), "c"))
    assert [layer.name.split("_")[0] for layer in split.frozen.layers[-2:]] == [
        "reshape",
        "flatten",
    ]


@pytest.mark.parametrize(
    ("name", "frozen", "width"),
    [("c", ["a", "b"], 4), ("d", ["a", "b", "c"], 3)],
)
def test_an_inner_network_is_cut(name, frozen, width):
    inner = keras.Sequential([keras.Input((5,)), dense(4, "b"), dense(3, "c")])
    middle = keras.Sequential([keras.Input((6,)), dense(5, "a"), inner, layers.Rescaling(2.0)])
    backbone = keras.Sequential([keras.Input((6,)), middle, dense(2, "d")])
    split = check_split(train(backbone, name, "d"))
    assert weights_of(split.frozen) == frozen
    assert split.frozen.output_shape == (None, width)


def residual():
    """Return a network of two blocks with a connection around each."""
    inputs = keras.Input((6,))
    one = dense(4, "stem")(inputs)
    two = dense(4, "b")(dense(7, "a")(one))
    one = layers.Add(name="first_sum")([one, two])
    two = dense(4, "d")(dense(8, "c")(one))
    outputs = dense(2, "last")(layers.Add()([one, two]))
    return keras.Model(inputs, outputs)


@pytest.mark.parametrize(
    ("name", "frozen"),
    [
        ("a", ["stem"]),
        ("b", ["stem"]),
        ("c", ["a", "b", "stem"]),
        ("d", ["a", "b", "stem"]),
        ("last", ["a", "b", "c", "d", "stem"]),
    ],
)
def test_a_residual_network_is_cut_in_front_of_a_block(name, frozen):
    split = check_split(train(residual(), name, "last"))
    assert weights_of(split.frozen) == frozen
    assert split.frozen.output_shape == (None, 4)


@pytest.mark.parametrize("join", [layers.Add, layers.Concatenate])
def test_without_a_place_to_cut_there_is_no_frozen_part(join):
    inputs = keras.Input((6,))
    behind = dense(6, "b")(dense(5, "a")(inputs))
    backbone = train(keras.Model(inputs, join()([inputs, behind])), "b")
    split = split_backbone(backbone)
    assert split.frozen is None
    assert split.trained is backbone


@pytest.mark.parametrize(("name", "frozen"), [("b", ["stem"]), ("d", ["a", "b", "c", "stem"])])
def test_branches_that_join_again_are_not_cut(name, frozen):
    inputs = keras.Input((6,))
    stem = dense(5, "stem")(inputs)
    branches = [
        dense(2, "a")(stem),
        dense(3, "c")(dense(4, "b")(stem)),
        layers.Rescaling(2.0)(stem),
    ]
    outputs = dense(2, "d")(layers.Concatenate()(branches))
    split = check_split(train(keras.Model(inputs, outputs), name, "d"))
    assert weights_of(split.frozen) == frozen


@pytest.mark.parametrize(
    ("order", "trained", "frozen"),
    [
        ("shared shared a", "a", ["shared"]),
        ("shared a shared", "a", ["shared"]),
        ("a shared shared", "shared", ["a"]),
        ("shared a shared", "shared", None),
    ],
)
def test_a_layer_that_is_called_twice_is_handled(order, trained, frozen):
    by_name = {name: dense(6, name) for name in ("a", "shared")}
    inputs = tensor = keras.Input((6,))
    for name in order.split():
        tensor = by_name[name](tensor)
    backbone = train(keras.Model(inputs, tensor), trained)
    if frozen is None:
        assert split_backbone(backbone).frozen is None
    else:
        assert weights_of(check_split(backbone).frozen) == frozen


def test_a_network_that_is_called_twice_is_cut_inside_its_first_call():
    shared = keras.Sequential([keras.Input((6,)), dense(5, "a"), dense(6, "b")])
    inputs = keras.Input((6,))
    split = check_split(train(keras.Model(inputs, shared(shared(inputs))), "b"))
    assert split.frozen.output_shape == (None, 5)


def test_operations_are_handled_like_layers():
    inputs = keras.Input((6,))
    one = keras.ops.tanh(dense(4, "a")(inputs * 2) + 1)
    two = keras.ops.concatenate([one, keras.ops.flip(one, axis=-1)], axis=-1)
    outputs = keras.ops.mean(dense(3, "b")(two)[:, :2], axis=1, keepdims=True)
    split = check_split(train(keras.Model(inputs, outputs), "b"))
    assert split.frozen.output_shape == (None, 8)


def test_a_mask_prevents_a_cut():
    inputs = keras.Input((6,))
    tokens = layers.Embedding(9, 4, mask_zero=True, name="a")(inputs)
    backbone = keras.Model(inputs, layers.LSTM(3, name="b", bias_initializer="ones")(tokens))
    # The mask bypasses the output of the embedding, so there is no place to cut.
    assert split_backbone(train(backbone, "b")).frozen is None


# -- trained layers --------------------------------------------------------------------------------


def test_a_frozen_backbone_is_its_own_frozen_part():
    backbone = train(plain())
    split = split_backbone(backbone)
    assert split.frozen is backbone
    assert split.trained is None


def test_a_backbone_that_is_trained_from_its_first_layer_has_no_frozen_part():
    backbone = train(plain(), "a", "b", "c")
    split = split_backbone(backbone)
    assert split.frozen is None
    assert split.trained is backbone


def test_frozen_layers_between_trained_layers_are_in_the_trained_part():
    split = split_backbone(train(residual(), "stem", "last"))
    assert split.frozen is None
    split = check_split(train(residual(), "a", "last"))
    assert ids(split.trained.weights).isdisjoint(ids(split.frozen.weights))
    assert weights_of(split.trained) == ["a", "b", "c", "d", "last"]


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.first, self.second = dense(5, "a", trainable=False), dense(3, "b")

    def call(self, inputs):
        return self.second(self.first(inputs))


def test_a_subclassed_model_is_not_cut():
    backbone = Subclassed()
    backbone(ROWS)
    split = split_backbone(backbone)
    assert split.frozen is None
    assert split.trained is backbone


def test_a_network_is_cut_in_front_of_an_inner_subclassed_model():
    inner = Subclassed()
    backbone = keras.Sequential([keras.Input((6,)), dense(6, "stem", trainable=False), inner])
    assert weights_of(check_split(backbone).frozen) == ["stem"]


def test_the_split_is_cached_until_other_weights_are_trained():
    backbone = train(plain(), "c")
    split = split_backbone(backbone)
    assert split_backbone(backbone) is split
    backbone.layers[1].set_weights([weight + 1 for weight in backbone.layers[1].get_weights()])
    assert split_backbone(train(backbone, "c")) is split
    other = check_split(train(backbone, "b", "c"))
    assert other.frozen is not split.frozen
    assert other.frozen.output_shape == (None, 5)
    assert split_backbone(train(backbone)).frozen is backbone
    assert check_split(train(backbone, "c")).frozen.output_shape == (None, 4)


def test_the_parts_share_the_weights_of_the_backbone():
    backbone = train(residual(), "c", "last")
    check_split(backbone)
    backbone.set_weights([weight * 2 + 0.1 for weight in backbone.get_weights()])
    check_split(backbone)


@pytest.mark.parametrize("build", [plain, residual])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_split_does_not_change_how_a_backbone_is_saved(tmp_path, build, when):
    backbone = train(build(), "c", "last")
    if when == "after":
        check_split(backbone)
    backbone.save(tmp_path / "backbone.keras")
    loaded = keras.models.load_model(tmp_path / "backbone.keras")
    expected = run(backbone, ROWS)
    check_split(backbone)
    np.testing.assert_array_equal(run(loaded, ROWS), expected)
    assert check_split(loaded).frozen.output_shape == split_backbone(backbone).frozen.output_shape


@pytest.mark.parametrize("where", ["frozen", "trained"])
def test_both_parts_stay_in_inference_mode(where):
    inputs = keras.Input((6,))
    noisy = [dense(6, "a"), layers.Dropout(0.5), layers.BatchNormalization(name="norm")]
    quiet = [dense(6, "b")]
    tensor = inputs
    for layer in [*noisy, *quiet] if where == "frozen" else [*quiet, *noisy]:
        tensor = layer(tensor)
    backbone = train(InferenceModel(inputs, tensor), "b" if where == "frozen" else "a")
    split = check_split(backbone)
    features = np.asarray(split.frozen(ROWS, training=True))
    np.testing.assert_array_equal(features, run(split.frozen, ROWS))
    np.testing.assert_allclose(
        np.asarray(split.trained(features, training=True)), run(backbone, ROWS), atol=1e-6
    )
    norm = next(layer for layer in noisy if layer.name == "norm")
    np.testing.assert_array_equal(norm.moving_mean.numpy(), 0)


def test_an_inner_network_stays_in_inference_mode():
    network = keras.Sequential(
        [keras.Input((6,)), layers.Dropout(0.5), dense(5, "a"), layers.Dropout(0.5), dense(3, "b")]
    )
    inputs = keras.Input((6,))
    backbone = train(InferenceModel(inputs, network(layers.Rescaling(0.5)(inputs))), "b")
    split = check_split(backbone)
    features = np.asarray(split.frozen(ROWS, training=True))
    np.testing.assert_allclose(
        np.asarray(split.trained(features, training=True)), run(backbone, ROWS), atol=1e-6
    )


# -- through ImageEncoder --------------------------------------------------------------------------

PIXELS = np.random.default_rng(1).integers(0, 256, (2, 32, 32, 3), dtype="uint8")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["VGG16", "ResNet50", "DenseNet121", "EfficientNetB0"])
def test_networks_of_keras_applications_are_cut_where_training_begins(name, monkeypatch):
    if name != "VGG16":
        use_shallow_network(monkeypatch, name)
    encoder = ImageEncoder("poster", backbone=name, weights=None, image_size=32, seed=1)
    backbone = encoder.get_backbone()
    whole = run(backbone, PIXELS)
    depths = []
    for n_layers in (1, 10):
        split = split_backbone(encoder.unfreeze(n_layers).get_backbone())
        assert encoder.frozen_part() is split.frozen
        if n_layers == 1:
            # A store computes features with this method.
            features = split.frozen.predict_on_batch(PIXELS)
        else:
            features = run(split.frozen, PIXELS)
        np.testing.assert_allclose(
            run(split.trained, features), whole, rtol=1e-5, atol=1e-6 * np.abs(whole).max()
        )
        assert split.frozen.trainable_weights == []
        assert ids(split.trained.trainable_weights) == ids(backbone.trainable_weights)
        depths.append(len(split.frozen.weights))
    assert len(backbone.weights) > depths[0] >= depths[1] > 0


def test_the_frozen_part_of_an_encoder_is_that_of_its_backbone():
    network = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.Conv2D(4, 3), layers.Conv2D(5, 3), layers.MaxPooling2D()]
    )
    encoder = ImageEncoder("poster", backbone=network, preprocessing="unit")
    pixels = PIXELS[:, :8, :8]
    assert encoder.frozen_part() is encoder.get_backbone()
    split = check_split(encoder.unfreeze(1).get_backbone(), pixels)
    assert encoder.frozen_part() is split.frozen
    assert split.frozen.output_shape == (None, 6, 6, 4)
    assert encoder.unfreeze().frozen_part() is None
    assert encoder.unfreeze(0).frozen_part() is encoder.get_backbone()


# -- graphs that are difficult to cut --------------------------------------------------------------


def check_parts(backbone):
    """Check the parts of a backbone that can be cut."""
    split = split_backbone(backbone)
    if split.frozen is None:
        assert split.trained is backbone
    else:
        features = run(split.frozen, ROWS)
        np.testing.assert_allclose(run(split.trained, features), run(backbone, ROWS), atol=1e-6)
    return split


def tuned_net():
    """Return a network of one frozen and one trained layer."""
    net = keras.Sequential([keras.Input((6,)), dense(6, "first"), dense(6, "second")])
    return train(net, "second")


@pytest.mark.parametrize("width", [5, 4], ids=["shapes match", "shapes differ"])
def test_a_network_is_cut_in_front_of_an_inner_network_that_is_trained_as_a_whole(width):
    inner = keras.Sequential([keras.Input((width,)), dense(4, "c"), dense(5, "d")])
    backbone = keras.Sequential([keras.Input((6,)), dense(width, "stem"), inner])
    split = check_parts(train(backbone, "c", "d"))
    assert weights_of(split.frozen) == ["stem"]


def test_a_connection_around_an_inner_network_is_handled():
    inputs = keras.Input((6,))
    scaled = layers.Rescaling(2.0)(inputs)
    check_parts(keras.Model(inputs, layers.Add()([tuned_net()(scaled), scaled])))


def test_an_inner_network_that_is_called_twice_on_one_tensor_is_handled():
    net, inputs = tuned_net(), keras.Input((6,))
    scaled = layers.Rescaling(2.0)(inputs)
    other = layers.Rescaling(3.0)(net(scaled))
    check_parts(keras.Model(inputs, layers.Add()([net(scaled), other])))


@pytest.mark.parametrize("trained", ["half", "end"])
def test_an_operation_with_several_outputs_is_handled(trained):
    inputs = keras.Input((6,))
    one, other = keras.ops.split(dense(6, "stem")(inputs), 2, axis=1)
    joined = layers.Concatenate()([dense(3, "half")(one), other])
    check_parts(train(keras.Model(inputs, dense(2, "end")(joined)), trained))


def test_an_inner_network_with_two_outputs_is_handled():
    inputs = keras.Input((6,))
    two = keras.Model(inputs, [dense(4, "a")(inputs), dense(3, "b")(inputs)])
    outer = keras.Input((6,))
    one, other = two(outer)
    joined = layers.Concatenate()([dense(2, "c")(one), other])
    check_parts(train(keras.Model(outer, joined), "c"))


class Doubled(keras.Model):
    """A functional model that does more than run its graph."""

    def call(self, inputs, training=None, mask=None):
        return 2 * super().call(inputs, training=training, mask=mask)


def test_a_functional_model_with_its_own_call_is_not_cut():
    inputs = keras.Input((6,))
    model = train(Doubled(inputs, dense(2, "b")(dense(4, "a")(inputs))), "b")
    assert check_parts(model).frozen is None


@pytest.mark.parametrize("n_layers", [1, "all"])
def test_parts_do_not_keep_a_backbone_in_memory(n_layers):
    network = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.Conv2D(4, 3), layers.Conv2D(4, 3)],
    )
    encoder = ImageEncoder("poster", backbone=network, trainable_layers=n_layers)
    encoder.frozen_part()
    alive = weakref.ref(encoder.get_backbone())
    del encoder
    gc.collect()
    assert alive() is None


def difference(y_true, y_pred):
    return keras.ops.mean(y_pred - y_true)


def make_compiled(kind):
    """Return a model whose loss is a function, as Keras cannot restore it, with one inside."""
    inner = keras.Sequential([keras.Input((6,)), dense(5, "first")])
    inner.compile(loss=difference)
    if kind == "sequential":
        model = keras.Sequential([keras.Input((6,)), inner, dense(4, "last")])
    else:
        inputs = keras.Input((6,))
        model = keras.Model(inputs, dense(4, "last")(inner(inputs)))
    model.compile(loss=difference)
    return model


@pytest.mark.parametrize("kind", ["sequential", "functional"])
def test_a_compiled_backbone_is_split_and_copied(kind):
    backbone = make_compiled(kind)
    check_split(train(backbone, "last"))
    np.testing.assert_allclose(run(in_bfloat16(backbone), ROWS), run(backbone, ROWS), atol=0.05)
    assert backbone.compiled
    assert backbone.layers[-2].compiled


def test_features_that_differ_in_length_are_not_frozen():
    inputs = keras.Input((None, 6))
    features = dense(5, "frozen")(inputs)
    outputs = layers.GlobalAveragePooling1D()(dense(3, "trained")(features))
    backbone = train(keras.Model(inputs, outputs), "trained")
    split = split_backbone(backbone)
    assert split.frozen is None
    assert split.trained is backbone
