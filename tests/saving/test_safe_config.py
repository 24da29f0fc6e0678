"""Configurations of real models load; configurations that could run code are refused."""

import copy
import inspect
import json
import math
import sys

import keras
import numpy as np
import pytest

from multimodal_ensemble.encoders import DenseEncoder, InferenceModel
from multimodal_ensemble.exceptions import ArtefactError
from multimodal_ensemble.fusion import fuse_encoders
from multimodal_ensemble.saving import (
    _model_size,
    check_config,
    check_model_sizes,
    load_object,
)


def as_saved(value):
    """Return a configuration as a file returns it."""
    return json.loads(json.dumps(keras.saving.serialize_keras_object(value)))


def sequential():
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(
                2,
                activation=keras.activations.gelu,
                kernel_initializer=keras.initializers.RandomNormal(seed=3),
                kernel_regularizer=keras.regularizers.L1L2(0.1, 0.2),
                kernel_constraint="max_norm",
            ),
            keras.layers.Activation(keras.activations.softsign),
        ]
    )
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)
    model.compile(
        keras.optimizers.AdamW(schedule),
        keras.losses.mean_squared_error,
        metrics=["mae", keras.metrics.AUC(), keras.metrics.binary_accuracy],
    )
    return model


def functional():
    image = keras.Input((8, 8, 3), name="image")
    words = keras.Input((4,), name="words", dtype="int32")
    x = keras.layers.Rescaling(1 / 255)(image)
    x = keras.layers.RandomFlip(seed=1)(x)
    x = keras.layers.Conv2D(2, 3, dtype="mixed_float16")(x)
    x = keras.layers.GlobalAveragePooling2D(dtype="float32")(keras.ops.relu(x) * 2.0)
    y = keras.layers.Embedding(10, 4)(words)
    y = keras.layers.Bidirectional(keras.layers.GRU(2))(y)
    y = keras.layers.TimeDistributed(keras.layers.Dense(2))(keras.ops.reshape(y, (-1, 2, 2)))
    z = keras.ops.concatenate([x, y[:, 0, ::-1], keras.ops.mean(y, axis=1)], axis=-1)
    return keras.Model({"image": image, "words": words}, [z, keras.layers.Dropout(0.5, seed=2)(z)])


def backbone():
    inputs = keras.Input((6,))
    inner = keras.Sequential([keras.layers.Dense(3), keras.layers.BatchNormalization()])
    return InferenceModel(inputs, keras.layers.Dropout(0.5)(inner(inputs)))


def text():
    return keras.Sequential(
        [
            keras.Input((), dtype="string"),
            keras.layers.TextVectorization(vocabulary=["a", "b"], output_mode="multi_hot"),
        ]
    )


def mobilenet_v3():
    """Return a network with one block of those of MobileNetV3."""
    module = inspect.getmodule(keras.applications.MobileNetV3Small)

    def stack(tensor, kernel, activation, se_ratio):
        return module._inverted_res_block(tensor, 1, 16, 3, 2, se_ratio, activation, 1)

    return module.MobileNetV3(stack, 64, weights=None, model_type="small")


def shared():
    layer = keras.layers.Dense(2)
    first, second = keras.Input((2,)), keras.Input((2,))
    return keras.Model([first, second], layer(first) + layer(second))


MODELS = {
    "sequential": sequential,
    "functional": functional,
    "backbone": backbone,
    "text": text,
    "shared": shared,
    "fusion": lambda: fuse_encoders([DenseEncoder("year").fit([1, 2])], n_labels=2),
    # A layer without a public name, and operations as layers.
    "ConvNeXt": lambda: inspect.getmodule(keras.applications.ConvNeXtTiny).ConvNeXt(
        [1] * 4, [8] * 4, weights=None, include_top=False
    ),
    "MobileNetV3": mobilenet_v3,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_configurations_of_real_models_pass_and_load(name, monkeypatch):
    keras.utils.set_random_seed(1)
    model = MODELS[name]()
    config = as_saved(model)
    check_config(config, where="The model")
    check_config(keras.saving.serialize_keras_object(model), where="The model")
    given = copy.deepcopy(config)
    loaded = load_object(config, where="The model")
    assert config == given
    assert type(loaded) is type(model)
    assert [weight.shape for weight in loaded.weights] == [weight.shape for weight in model.weights]
    n_weights = sum(math.prod(variable.shape) for variable in model.variables)
    monkeypatch.setattr(_model_size, "_N_FREE", 0)
    check_model_sizes(config, n_available=n_weights, where="The model")
    if n_weights:
        match = f"describes {n_weights:,} weights, and the file holds {n_weights - 1:,}"
        with pytest.raises(ArtefactError, match=match):
            check_model_sizes([{"a": config}], n_available=n_weights - 1, where="The model")
    kinds = [(type(layer), layer.name) for layer in model.layers]
    assert [(type(layer), layer.name) for layer in loaded.layers] == kinds


@pytest.mark.parametrize(
    "namespace",
    ["layers", "losses", "metrics", "initializers", "regularizers", "constraints", "optimizers"],
)
def test_every_keras_object_without_arguments_passes(namespace):
    found = 0
    for value in vars(getattr(keras, namespace)).values():
        if not inspect.isclass(value) or value in (
            keras.regularizers.Regularizer,
            keras.layers.InputSpec,
        ):
            continue
        try:
            config = as_saved(value())
        except (TypeError, ValueError, AttributeError, ImportError):
            # It needs arguments, or is an abstract class.
            continue
        # Metrics may only be among what a model is compiled with.
        check_config({"compile_config": config}, where="The object")
        if namespace != "metrics":
            check_config(config, where="The object")
        found += 1
    assert found >= 2


@pytest.mark.parametrize(
    "layer",
    [
        keras.layers.Normalization(mean=[1.0, 2.0], variance=[1.0, 1.0]),
        keras.layers.StringLookup(vocabulary=["a"]),
        keras.layers.IntegerLookup(vocabulary=[1, 2]),
        keras.layers.Discretization(bin_boundaries=[0.0, 1.0]),
        keras.layers.SpectralNormalization(keras.layers.Dense(2)),
        keras.layers.RNN([keras.layers.LSTMCell(2), keras.layers.GRUCell(2)]),
        keras.layers.Pipeline([keras.layers.RandomContrast(0.1), keras.layers.Resizing(2, 2)]),
        keras.layers.MultiHeadAttention(2, 3),
        keras.layers.Dense(2, kernel_initializer=keras.initializers.Constant(np.ones((2, 2)))),
        keras.layers.Dropout(0.5, dtype=keras.DTypePolicy("mixed_bfloat16")),
        DenseEncoder("year"),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_layers_that_contain_objects_pass_and_load(layer):
    loaded = load_object(as_saved(layer), where="The layer")
    assert type(loaded) is type(layer)
    assert as_saved(loaded) == as_saved(layer)


@pytest.mark.parametrize("value", [None, True, 3, 0.5, "text", [], {}, [1, ["relu"]], {"a": [{}]}])
def test_plain_values_pass_unchanged(value):
    assert load_object(value, where="The value") == value


class Concrete(keras.layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.table = keras.Variable(np.ones(3, "float32"))


def test_layers_of_other_packages_may_create_variables_from_arrays():
    with keras.saving.custom_object_scope({"tests>Concrete": Concrete}):
        config = as_saved(Concrete()) | {"registered_name": "tests>Concrete"}
        check_model_sizes(config, n_available=0, where="The model")
        assert load_object(config, where="The model").table.shape == (3,)


@pytest.mark.parametrize(
    "config",
    [
        {"units": 10**12},
        {"units": 3, "batch_shape": [None, 10**5, 10**5]},
        {"units": 10**8 // 2, "more": 10**8 // 2},
    ],
)
def test_sizes_that_no_model_has_are_refused(config):
    with pytest.raises(ArtefactError, match=r"add up to .* which no model has"):
        check_model_sizes(dense(**config), n_available=10**15, where="The model")


# -- what is refused -------------------------------------------------------------------------


def obj(class_name, module="keras.layers", config=None, **more):
    return {
        "module": module,
        "class_name": class_name,
        "config": {} if config is None else config,
        "registered_name": None,
        **more,
    }


def function(name, module="builtins", registered_name="function"):
    return obj("function", module, name, registered_name=registered_name)


def dense(**config):
    return obj("Dense", config={"units": 2, **config})


class Unregistered(keras.layers.Layer):
    pass


class MyLambda(keras.layers.Lambda):
    pass


REFUSED = {
    "module os": (function("system", "os"), "names the function 'system' of the module 'os'"),
    "module posix": (function("system", "posix", "system"), "the function 'system'"),
    "class of a module": (obj("Popen", "subprocess"), "names the class 'Popen' of the module 'sub"),
    "built-in function": (function("eval"), "names the function 'eval' of the module 'builtins'"),
    "built-in class": (obj("eval", "builtins"), "names the class 'eval' of the module 'builtins'"),
    "activation": (
        dense(activation=function("system", "os")),
        r"\['config'\]\['activation'\] names the f",
    ),
    "download": (function("get_file", "keras.utils"), "the function 'get_file' of the module 'k"),
    "download as a class": (obj("get_file", "keras.utils"), "names 'get_file' of 'keras.utils'"),
    "load_model": (function("load_model", "keras.models"), "the function 'load_model'"),
    "load_model as a class": (obj("load_model", "keras.models"), "names 'load_model'"),
    "unsafe": (function("enable_unsafe_deserialization", "keras.config"), "the function 'enable_"),
    "deserialize": (function("deserialize", "keras.losses"), "the function 'deserialize'"),
    "deserialize built in": (function("deserialize"), "the function 'deserialize'"),
    "operation": (function("sin", "keras.ops"), "the function 'sin' of the module 'keras.ops'"),
    "saving": (obj("CustomObjectScope", "keras.saving"), "names 'CustomObjectScope'"),
    "callback": (obj("ModelCheckpoint", "keras.callbacks"), "names 'ModelCheckpoint'"),
    "feature space": (obj("FeatureSpace", "keras.utils"), "names 'FeatureSpace'"),
    "dotted name": (obj("layers.Lambda", "keras"), "names 'layers.Lambda' of 'keras'"),
    "module in a module": (obj("saving", "keras"), "names 'saving' of 'keras'"),
    "other base": (obj("Adam", "keras.layers"), "names 'Adam' of 'keras.layers'"),
    "not there": (obj("Nothing", "keras.layers"), "If it comes from a newer version, upgrade"),
    "private function": (
        obj("get_file", "keras.src.utils.file_utils"),
        "names 'get_file' of 'keras.src.utils.file_utils'",
    ),
    "private helper": (obj("Functional", "keras.src.saving.saving_api"), "names 'Functional'"),
    "private module of a layer": (obj("os", "keras.src.layers.core.lambda_layer"), "names 'os'"),
    "not yet imported": (obj("X", "keras.src.layers.nothing"), "names 'X' of 'keras.src.layers"),
    "Lambda": (obj("Lambda"), "holds a Lambda layer, which may run code from the file"),
    "private Lambda": (obj("Lambda", "keras.src.layers.core.lambda_layer"), "holds a Lambda layer"),
    "Lambda in a private module": (obj("Lambda", "keras.src.layers.core"), "names 'Lambda' of"),
    "TFSMLayer": (obj("TFSMLayer", config={"filepath": "x"}), "holds a TFSMLayer layer"),
    "TorchModuleWrapper": (obj("TorchModuleWrapper"), "holds a TorchModuleWrapper layer"),
    "JaxLayer": (obj("JaxLayer"), "holds a JaxLayer layer"),
    "FlaxLayer": (obj("FlaxLayer"), "holds a FlaxLayer layer"),
    "python lambda": (
        dense(activation={"class_name": "__lambda__", "config": {"value": "x"}}),
        "holds '__lambda__', which may run code from the file",
    ),
    "type specification": (
        {
            "class_name": "__typespec__",
            "spec_name": "system",
            "module": "os",
            "config": [],
            "registered_name": None,
        },
        "holds '__typespec__', which may run code",
    ),
    "vocabulary file": (
        obj("StringLookup", config={"vocabulary": "/etc/passwd"}),
        "would read its vocabulary from '/etc/passwd'",
    ),
    "vocabulary file of text": (
        obj("TextVectorization", config={"vocabulary": "gs://bucket/file"}),
        "would read its vocabulary from 'gs://bucket/file'",
    ),
    "not imported": (
        obj("Layer", "other_package.layers", registered_name="other_package>Layer"),
        "neither a part of a model in Keras nor registered with Keras.*import that package first",
    ),
    "not registered": (
        obj("Unregistered", __name__, registered_name="Unregistered"),
        "the class 'Unregistered' .* nor registered with Keras",
    ),
    "looks registered": (
        obj("Lambda", "os", registered_name="multimodal_ensemble>Nothing"),
        "names the class 'Lambda' of the module 'os'",
    ),
    "optimizer": (
        obj("Sequential", "keras", {"layers": []}, compile_config={"optimizer": obj("X", "evil")}),
        r"\['compile_config'\]\['optimizer'\] names the class 'X' of the module 'evil'",
    ),
    "no module": ({"class_name": "Dense", "config": {}}, "does not name the module of 'Dense'"),
    "no module, but registered": (
        {
            "class_name": "Lambda",
            "config": {"function": "x"},
            "registered_name": "multimodal_ensemble>InferenceModel",
        },
        "does not name the module of 'Lambda'",
    ),
    "module of another type": (obj("Dense", ["keras.layers"]), "names the class 'Dense'"),
    "class of another type": (obj(["Dense"]), "must name a class. Received class_name="),
    "name of another type": (obj("Dense", registered_name=["x"]), "must name a class or function"),
    "function of another type": (obj("function", config=["relu"]), "must name a class or function"),
    "no function": (
        {"class_name": "function", "module": "builtins", "registered_name": "function"},
        "names the function None",
    ),
    "configuration of another type": (obj("Dense", config=[1]), "must hold a dict as the config"),
    "other value": (dense(units={1}), "must consist of JSON values. Received type set"),
    "value with a module": (
        {"class_name": "__bytes__", "config": {"value": "x"}, "module": "os"},
        "holds an invalid __bytes__",
    ),
    "value with another key": (
        {"class_name": "__ellipsis__", "config": {"value": "x"}},
        "holds an invalid __ellipsis__",
    ),
    "array of a large type": (
        {"class_name": "__numpy__", "config": {"value": ["a"], "dtype": "U1000000000"}},
        "holds a __numpy__ with the dtype 'U1000000000'",
    ),
    "array of objects": (
        {"class_name": "__numpy__", "config": {"value": ["a"], "dtype": "object"}},
        "holds a __numpy__ with the dtype 'object'",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("within", ["alone", "list", "model"])
def test_objects_that_are_not_known_to_be_harmless_are_refused(name, within):
    config, match = REFUSED[name]
    if within == "list":
        config = {"a": [config]}
    elif within == "model":
        config = obj("Sequential", "keras", {"layers": [config]})
    with pytest.raises(ArtefactError, match=f"The model cannot be loaded: .*{match}") as raised:
        check_config(config, where="The model")
    assert len(str(raised.value)) < 1000
    with pytest.raises(ArtefactError, match=match):
        load_object(config, where="The model")


def test_a_registered_subclass_of_lambda_is_refused():
    config = obj("MyLambda", "anything", registered_name="tests>MyLambda")
    with keras.saving.custom_object_scope({"tests>MyLambda": MyLambda}):
        with pytest.raises(ArtefactError, match="holds a MyLambda layer"):
            check_config(config, where="The model")


def test_registered_objects_pass_with_any_module_name():
    config = as_saved(DenseEncoder("year"))
    config["module"] = "os"
    assert load_object(config, where="The encoder").name == "year"
    layer = as_saved(Unregistered())
    activation = dense(activation=function("tests>double", "os"))
    names = {"tests>Unregistered": Unregistered, "tests>double": lambda x: x * 2}
    with keras.saving.custom_object_scope(names):
        layer |= {"registered_name": "tests>Unregistered", "module": "os"}
        assert type(load_object(layer, where="The layer")) is Unregistered
        loaded = load_object(activation, where="The layer")
        assert loaded.activation is names["tests>double"]


def test_deep_nesting_is_refused():
    config = 1
    for _ in range(100_000):
        config = {"a": config}
    with pytest.raises(ArtefactError, match="nested more than 250 levels deep"):
        check_config(config, where="The model")


@pytest.mark.parametrize(
    "config",
    [
        dense(nothing=1),
        dense(activation=3),
        obj("Sequential", "keras", {"layers": [1]}),
        obj("Functional", "keras.src.models.functional", {"layers": []}),
        obj("Dense", config={"units": 2}, build_config={"input_shape": "x"}),
        obj("DenseEncoder", "x", {"name": "/"}, registered_name="multimodal_ensemble>DenseEncoder"),
        {"class_name": "__bytes__", "config": {"value": 3}},
    ],
    ids=range(7),
)
def test_a_configuration_that_keras_cannot_use_is_an_artefact_error(config):
    with pytest.raises(ArtefactError, match=r"The model cannot be rebuilt by Keras 3\.") as raised:
        load_object(config, where="The model")
    assert raised.value.__cause__ is not None
    assert len(str(raised.value)) < 1000


# -- attacks, with their payloads --------------------------------------------------------------


@pytest.fixture
def marker(tmp_path):
    """Return the path of a file that only an executed payload would create."""
    path = tmp_path / "executed"
    yield path
    assert not path.exists()


def functional_config(layer, *args):
    """Return a functional model that calls a layer, or an object in place of one."""
    config = as_saved(keras.Model(*([keras.Input((1,), name="x")] * 2)))
    config["config"]["layers"].append(
        {**layer, "name": "evil", "inbound_nodes": [{"args": list(args), "kwargs": {}}]}
    )
    return config


def payload(marker):
    # The path is part of the code, so that the code runs wherever it is loaded.
    return eval(f"lambda x: (open({str(marker)!r}, 'w').close(), x)[1]")


def refuse(config):
    with pytest.raises(ArtefactError, match="cannot be loaded"):
        load_object(config, where="The model")


def test_a_lambda_with_code_is_not_run(marker):
    layer = keras.layers.Lambda(payload(marker))
    config = functional_config(as_saved(layer), 1)
    assert "__lambda__" in json.dumps(config)
    refuse(config)
    refuse(as_saved(layer))
    # The same payload, disguised as a registered layer in the older format without modules.
    disguised = config["config"]["layers"][-1]
    disguised["registered_name"] = "multimodal_ensemble>InferenceModel"
    del disguised["module"]
    refuse(config)


def test_the_check_does_not_rely_on_keras_safe_mode(marker, monkeypatch):
    monkeypatch.setattr(keras.src.saving.serialization_lib, "in_safe_mode", lambda: False)
    refuse(functional_config(as_saved(keras.layers.Lambda(payload(marker))), 1))


@pytest.mark.parametrize("module", ["os", "posix", "subprocess"])
@pytest.mark.parametrize("name", ["system", "call", "run"])
def test_a_shell_command_is_not_run(module, name, marker):
    refuse(functional_config(function(name, module, name), f"touch {marker}"))
    refuse(functional_config(obj(name, module, {}), f"touch {marker}"))


def test_a_file_is_not_fetched(marker):
    source = marker.with_name("source")
    source.write_text("x", encoding="utf-8")
    for layer in (function("get_file", "keras.utils"), obj("get_file", "keras.utils")):
        refuse(functional_config(layer, str(marker), source.as_uri()))


def test_a_module_is_not_imported(marker, monkeypatch):
    folder = marker.with_name("folder")
    folder.mkdir()
    code = f"open({str(marker)!r}, 'w')"
    (folder / "evil_module.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(folder)
    for config in (
        obj("Evil", "evil_module", registered_name="evil_module>Evil"),
        function("evil", "evil_module"),
        dense(activation=function("relu", "evil_module", "relu")),
        dense(kernel_initializer=obj("Zeros", "evil_module")),
        {**dense(), "class_name": "evil_module.Dense"},
    ):
        refuse(functional_config(config, 1))
        refuse(config)
    # The module of a registered object is ignored.
    encoder = {**as_saved(DenseEncoder("year")), "module": "evil_module"}
    load_object(encoder, where="The encoder")
    assert "evil_module" not in sys.modules


def test_a_vocabulary_file_is_not_read(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("word", encoding="utf-8")
    refuse(obj("StringLookup", config={"vocabulary": str(secret)}))
    refuse(obj("StringLookup", "keras.src.layers", {"vocabulary": str(secret)}))
    refuse(
        obj(
            "Sequential",
            "keras",
            {"layers": [obj("TextVectorization", config={"vocabulary": str(secret)})]},
        )
    )
