"""Rebuild Keras objects from a file only after a check of everything that the file names.

Keras's own safe mode refuses Python lambdas. Some of its versions still import any module that a
configuration names and return any of its functions. Layers may also read files or run code of
other programs. So Keras receives nothing before every name in it is known to be harmless.
"""

from __future__ import annotations

import re
import reprlib
import sys
from collections.abc import Sequence
from functools import cache
from operator import attrgetter
from types import FunctionType
from typing import Any, NoReturn

from multimodal_ensemble.saving._config_values import VALUES, Place, check_nodes, check_value
from multimodal_ensemble.saving._hub_objects import check_hub_object, find_hub_layer, import_hub_for

# Far deeper than any real model: a model within a model adds about five levels.
MAX_DEPTH = 250

# Functional models, the operations in their graphs, and some layers of keras.applications have no
# public name.
_PRIVATE = re.compile(r"keras\.src\.(models\.functional|(ops|layers|applications)(\.[a-z0-9_]+)+)")
_NO_FUNCTIONS = {"deserialize", "get", "serialize"}

# For each module that may be named, the base class, one of its own, that its classes must have.
_BASES = {
    "constraints": "Constraint",
    "dtype_policies": "DTypePolicy",
    "initializers": "Initializer",
    "layers": "Layer",
    "losses": "Loss",
    "metrics": "Metric",
    "models": "Model",
    "optimizers": "Optimizer",
    "optimizers.schedules": "LearningRateSchedule",
    "random": "SeedGenerator",
    "regularizers": "Regularizer",
}
# For each module that a function may name, the modules of Keras to look it up in.
_FUNCTIONS = {
    "builtins": ("activations", "losses", "metrics"),
    "keras.activations": ("activations",),
    "keras.losses": ("losses",),
    "keras.metrics": ("metrics",),
}
# Layers that run code in a configuration, or programs and files that it names.
_UNSAFE = ("FlaxLayer", "JaxLayer", "Lambda", "TFSMLayer", "TorchModuleWrapper")
# Layers that read a file if their vocabulary is a string.
_LOOKUPS = ("IntegerLookup", "StringLookup", "TextVectorization")


def check_config(config: Any, *, where: str) -> None:
    """Check that a serialised Keras object names only harmless objects.

    Harmless are Keras's own layers, operations, models, initialisers and the like, except those
    that run code or read files, backbones and layers of KerasHub, and every object of another
    package that is registered with Keras. The check creates nothing, and imports nothing but
    KerasHub.

    `where` is the name of the configuration in errors, for example ``"The model"``. Pass only what
    `without_compilation` returns to Keras: metrics are accepted nowhere else.

    Raises
    ------
    ArtefactError
        If it names anything else; the message says what, and where in the configuration.
    """
    _check(config, Place(where), 0)


@cache
def _allowed() -> dict[str, tuple[dict[str, Any], tuple[type, ...]]]:
    """Return the names and the base classes of each module that a configuration may name."""
    # Imported here, so that writing files does not import Keras.
    import keras

    allowed: dict[str, tuple[dict[str, Any], tuple[type, ...]]] = {}
    for module, base in _BASES.items():
        names = vars(attrgetter(module)(keras))
        allowed[f"keras.{module}"] = names, (names[base],)
    allowed["keras"] = vars(keras), tuple(base for _, (base,) in allowed.values())
    return allowed


def _check(value: Any, place: Place, depth: int) -> None:
    if depth > MAX_DEPTH:
        Place(place.where).refuse(
            f"is nested more than {MAX_DEPTH} levels deep, which no model is."
        )
    if isinstance(value, dict):
        if "class_name" in value:
            _check_object(value, place)
        if "inbound_nodes" in value:
            check_nodes(value["inbound_nodes"], place)
        for key, item in value.items():
            _check(item, place.at(key), depth + 1)
    elif isinstance(value, (list, tuple)):
        for position, item in enumerate(value):
            _check(item, place.at(position), depth + 1)
    elif value is not None and not isinstance(value, (bool, int, float, str)):
        place.refuse(f"must consist of JSON values. Received type {type(value).__name__}.")


def _check_object(config: dict[str, Any], place: Place) -> None:
    import keras

    class_name = config["class_name"]
    inner = config.get("config")
    if not isinstance(class_name, str):
        place.refuse(f"must name a class. Received class_name={reprlib.repr(class_name)}.")
    if class_name in VALUES:
        check_value(class_name, config, place)
        return
    if class_name.startswith("__"):
        place.refuse(
            f"holds {reprlib.repr(class_name)}, which may run code from the file. Save the model "
            "with a layer or function that is registered by keras.saving.register_keras_"
            "serializable instead."
        )
    if "module" not in config:
        # Keras then reads the configuration in an older format, and finds classes by names that
        # are not checked here.
        place.refuse(f"does not name the module of {reprlib.repr(class_name)}. It is damaged.")
    # Keras looks up a function by the name in the place of its configuration.
    is_function = class_name == "function"
    name = inner if is_function else config.get("registered_name", class_name)
    if name is not None and not isinstance(name, str):
        place.refuse(f"must name a class or function. Received {reprlib.repr(name)}.")
    if name is not None:
        import_hub_for(name)
    found = None if name is None else keras.saving.get_registered_object(name)
    check_hub_object(found, inner, place)
    if found is None and is_function:
        _check_function(name, config.get("module"), place)
        return
    if found is None:
        found = _find_class(class_name, config.get("module"), place)
    if isinstance(found, type):
        _check_class(found, inner, place)


def find_keras_class(config: Any) -> Any:
    """Return the class that a part of a checked configuration names, or None."""
    import keras

    if not isinstance(config, dict) or not isinstance(class_name := config.get("class_name"), str):
        return None
    if class_name in VALUES or class_name == "function":
        return None
    name = config.get("registered_name", class_name)
    found = None if name is None else keras.saving.get_registered_object(name)
    return _find_class(class_name, config["module"], Place("")) if found is None else found


def _check_class(found: type, inner: Any, place: Place) -> None:
    """Check a class that Keras defines or that is registered with Keras."""
    import keras

    if issubclass(found, _layers(_UNSAFE)):
        place.refuse(
            f"holds a {found.__name__} layer, which may run code from the file or read other "
            "files. Save the model with a layer of your own that is registered by "
            "keras.saving.register_keras_serializable instead."
        )
    if not isinstance(inner, dict):
        place.refuse(
            f"must hold a dict as the configuration of {found.__name__}. "
            f"Received type {type(inner).__name__}."
        )
    if issubclass(found, keras.Metric) and not place.compiles:
        # Some take memory in proportion to a number in their configuration.
        place.refuse(f"holds the metric {found.__name__} outside of what a model is compiled with.")
    takes_vocabulary = issubclass(found, _layers(_LOOKUPS))
    if takes_vocabulary and not isinstance(inner.get("vocabulary"), (list, type(None))):
        place.refuse(
            f"holds a {found.__name__} layer that would read its vocabulary from "
            f"{reprlib.repr(inner['vocabulary'])}. Save the model with the vocabulary as a list."
        )


def _layers(names: Sequence[str]) -> tuple[type, ...]:
    import keras

    return tuple(getattr(keras.layers, name) for name in names if hasattr(keras.layers, name))


def _find_class(class_name: str, module: Any, place: Place) -> type:
    """Return a class of Keras that a configuration names, if the configuration may name it."""
    import keras

    if (layer := find_hub_layer(class_name, module)) is not None:
        check_hub_object(layer, {}, place)
        return layer
    if not isinstance(module, str) or not f"{module}.".startswith("keras."):
        _refuse_unregistered(f"class {reprlib.repr(class_name)}", module, place)
    names, bases = _allowed().get(module, ({}, (keras.Operation,)))
    if _PRIVATE.fullmatch(module) and module in sys.modules:
        names = vars(sys.modules[module])
    # Only the module's own names count, so that a name with a dot in it finds nothing.
    found = names.get(class_name)
    # Private layers are base classes, and one of them reads files.
    is_private = (
        module.startswith("keras.src.layers.") and vars(keras.layers).get(class_name) is not found
    )
    if not isinstance(found, type) or not issubclass(found, bases) or is_private:
        place.refuse(
            f"names {reprlib.repr(class_name)} of {reprlib.repr(module)}, which is no layer, "
            "operation or other part of a model in the installed Keras. If it comes from a newer "
            "version, upgrade Keras."
        )
    return found


def _check_function(name: str | None, module: Any, place: Place) -> None:
    import keras

    if name is not None and isinstance(module, str) and name not in _NO_FUNCTIONS:
        for namespace in _FUNCTIONS.get(module, ()):
            if isinstance(vars(getattr(keras, namespace)).get(name), FunctionType):
                return
    _refuse_unregistered(f"function {reprlib.repr(name)}", module, place)


def _refuse_unregistered(what: str, module: Any, place: Place) -> NoReturn:
    place.refuse(
        f"names the {what} of the module {reprlib.repr(module)}, which is neither a part of a "
        "model in Keras nor registered with Keras. If a package that you trust defines and "
        "registers it, import that package first. Nothing was imported or run."
    )
