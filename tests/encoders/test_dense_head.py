"""`DenseHead`, other callables as heads, and nested parameters."""

import json

import keras
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import ParameterGrid

from multimodal_ensemble import BagOfWordsEncoder, DenseEncoder, ImageEncoder, fuse_encoders
from multimodal_ensemble.encoders import Augmentation, DenseHead, FeatureScaling
from multimodal_ensemble.exceptions import ModalityError

ROWS = np.random.default_rng(0).normal(size=(5, 3))


def numbers(name="numbers", **options):
    return DenseEncoder(name, **options).fit(ROWS)


def through_json(value):
    config = keras.saving.serialize_keras_object(value)
    return keras.saving.deserialize_keras_object(json.loads(json.dumps(config)))


@keras.saving.register_keras_serializable(package="test_dense_head")
def tanh_head(feature_shape):
    return keras.layers.Dense(feature_shape[0] + 1, activation="tanh")


# -- the layers ------------------------------------------------------------------------------------


def test_there_is_one_layer_per_option():
    assert [layer.name for layer in DenseHead(5, dropout=0)((3,)).layers] == ["dense"]
    head = DenseHead(5, activation="tanh", dropout=0.25, input_dropout=0.5, scaling="log")
    scaling, before, dense, after = head((3,)).layers
    assert isinstance(scaling, FeatureScaling)
    assert (scaling.log, before.rate, after.rate) == (True, 0.5, 0.25)
    assert (dense.units, dense.activation) == (5, keras.activations.tanh)
    assert DenseHead(scaling="standard")((3,)).layers[0].log is False


@pytest.mark.parametrize(
    ("n_features", "units", "expected"),
    [(1, None, 1), (2, None, 1), (7, None, 3), (8, None, 4), (7, 5, 5)],
)
def test_units_of_none_are_half_the_number_of_features(n_features, units, expected):
    head = DenseHead(units)((n_features,))
    assert head(np.ones((2, n_features))).shape == (2, expected)
    assert head.count_params() == (n_features + 1) * expected


@pytest.mark.parametrize(("n_features", "rate"), [(1, None), (15, None), (16, 0.5), (400, 0.5)])
def test_automatic_input_dropout_needs_16_features(n_features, rate):
    layers = DenseHead(input_dropout="auto", dropout=0)((n_features,)).layers
    rates = [layer.rate for layer in layers if layer.name == "input_dropout"]
    assert rates == ([] if rate is None else [rate])


def test_an_embedding_is_what_numpy_computes():
    head = DenseHead(2, activation="sigmoid")((3,))
    embedding = head(ROWS)
    kernel, bias = head.get_weights()
    np.testing.assert_allclose(embedding, 1 / (1 + np.exp(-(ROWS @ kernel + bias))), rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"units": 0}, r"units must be .*units=0"),
        ({"units": "4"}, r"units must be .*'4'"),
        ({"dropout": 1}, r"dropout must be at least 0 and below 1. .*dropout=1"),
        ({"dropout": float("nan")}, r"dropout must be .*nan"),
        ({"input_dropout": -0.1}, r"input_dropout must be .*-0.1"),
        ({"input_dropout": "half"}, r"input_dropout must be one of 'auto'.*'half'"),
        ({"scaling": "minmax"}, r"scaling must be one of 'log', 'standard', None.*'minmax'"),
        ({"scaling": True}, r"scaling must be .*True"),
    ],
    ids=str,
)
def test_an_option_out_of_range_is_refused_by_name(options, match):
    with pytest.raises(ValueError, match=match):
        DenseHead(**options)
    head, encoder = DenseHead(4), numbers()
    with pytest.raises(ValueError, match=match):
        head.set_params(**options)
    with pytest.raises(ValueError, match=match):
        encoder.set_params(**{f"head__{key}": value for key, value in options.items()})
    assert head.get_params() == DenseHead(4).get_params()
    assert encoder.head.get_params() == DenseHead().get_params()


# -- the head of an encoder ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("encoder", "expected"),
    [
        (ImageEncoder("x"), DenseHead(input_dropout=0.8, scaling="log")),
        (BagOfWordsEncoder("x"), DenseHead(input_dropout="auto")),
        (DenseEncoder("x"), DenseHead()),
    ],
    ids=["image", "bag of words", "dense"],
)
def test_the_default_head_is_an_object_with_parameters(encoder, expected):
    nested = {f"head__{key}": value for key, value in expected.get_params().items()}
    assert nested.items() <= encoder.get_params().items()
    assert type(encoder)("x").head is not encoder.head


def test_two_encoders_with_one_head_do_not_share_layers_nor_changes():
    head = DenseHead(4, dropout=0.1)
    one, other = numbers("one", head=head), numbers("other", head=head)
    model = fuse_encoders([one, other], 2)
    assert model.get_layer("one_head") is not model.get_layer("other_head")
    assert len({id(weight) for weight in model.weights}) == len(model.weights) == 6
    one.set_params(head__dropout=0.5)
    assert (one.head.dropout, other.head.dropout, head.dropout) == (0.5, 0.1, 0.1)


def test_one_head_in_a_parameter_grid_is_never_changed():
    head = DenseHead(4)
    grid = ParameterGrid({"head": [head], "head__units": [2, 3], "head__dropout": [0.5]})
    encoders = [clone(numbers()).set_params(**params) for params in grid]
    assert [encoder.head.units for encoder in encoders] == [2, 3]
    assert head.get_params() == DenseHead(4).get_params()


def test_a_head_of_none_is_the_default_again():
    assert numbers(head=DenseHead(3)).set_params(head=None).head.units == 128


def test_any_callable_that_returns_a_layer_is_a_head():
    encoder = numbers(head=tanh_head)
    layer = encoder.build_head()
    assert (layer.name, layer.units) == ("numbers_head", 4)
    assert encoder.build_head() is not layer
    model = fuse_encoders([encoder], 2)
    assert [weight.path for weight in model.weights[:2]] == [
        "numbers_head/kernel",
        "numbers_head/bias",
    ]


@pytest.mark.parametrize(
    "head", ["dense", 4, keras.layers.Dense(4)], ids=["string", "int", "layer"]
)
def test_a_head_that_cannot_build_layers_is_refused(head):
    with pytest.raises(ValueError, match=r"head must be a DenseHead or another callable.*lambda"):
        DenseEncoder("numbers", head=head)


@pytest.mark.parametrize("result", [None, "dense", [keras.layers.Dense(2)]])
def test_a_head_that_returns_no_layer_is_refused(result):
    with pytest.raises(ModalityError, match=r"head of modality 'numbers' must return a Keras lay"):
        numbers(head=lambda shape: result).build_head()


# -- parameters ------------------------------------------------------------------------------------


@pytest.mark.parametrize("make_copy", [clone, through_json])
@pytest.mark.parametrize(
    "head",
    [None, DenseHead(3, activation=None, scaling="log"), tanh_head],
    ids=["default", "dense", "callable"],
)
def test_a_copy_has_an_equal_head(make_copy, head):
    encoder = DenseEncoder("numbers", head=head)
    copy = make_copy(encoder)
    assert json.dumps(copy.get_config()) == json.dumps(encoder.get_config())
    assert copy.head is not encoder.head or head is tanh_head
    embedding = copy.fit(ROWS).build_head()(ROWS)
    assert embedding.shape == encoder.fit(ROWS).build_head()(ROWS).shape


def test_parameters_of_all_parts_are_nested():
    augmentation = Augmentation([keras.layers.RandomFlip()], views=2)
    encoder = ImageEncoder("poster", augmentation=augmentation)
    assert encoder.get_params()["augmentation__views"] == 2
    encoder.set_params(augmentation__views=3, augmentation__seed=1, head__units=5)
    assert (encoder.augmentation.views, encoder.augmentation.seed) == (3, 1)
    assert (augmentation.views, augmentation.seed, encoder.head.units) == (2, 0, 5)


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"size": 1}, r"Invalid parameter 'size'.*'column', 'decimal', 'head', 'name'"),
        ({"head__size": 1}, r"Invalid parameter 'size' for estimator DenseHead"),
        ({"size__units": 1}, r"Invalid parameter 'size'"),
        ({"column__units": 1}, r"column=None has no parameters. Received \['column__units'\]"),
        ({"head": tanh_head, "head__units": 1}, r"head=<function .* has no parameters"),
        ({"scaling": "minmax"}, r"scaling must be one of"),
        ({"name": "a/b"}, r"Received name='a/b'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value),
)
def test_a_refused_parameter_changes_nothing(params, match):
    encoder = numbers()
    before = json.dumps(encoder.get_config())
    with pytest.raises(ValueError, match=match):
        encoder.set_params(**{"optional": True, "head__dropout": 0.5, **params})
    assert json.dumps(encoder.get_config()) == before


def test_set_params_keeps_what_was_learned():
    encoder = numbers()
    expected = encoder.encode(ROWS)
    np.testing.assert_array_equal(encoder.set_params(head__units=2).encode(ROWS), expected)
