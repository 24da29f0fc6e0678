"""Rebuilding Keras objects from a file without trusting it: first a look at all it names.

Keras's own safe mode refuses Python lambdas. Some of its versions still import whatever module a
configuration names and return any function of it, and layers may read files or run other programs'
code. So nothing is given to Keras before everything that it names is known to be harmless.
"""

from __future__ import annotations

import copy
import re
import reprlib
import sys
from types import FunctionType, ModuleType
from typing import Any, NoReturn

import keras

from multimodal_ensemble.exceptions import ArtefactError

# Deeper than any real model: one model within another takes some five levels.
MAX_DEPTH = 250

# Where a configuration may name classes, and what these must be. Read from Keras as it is
# imported; no module is imported because a configuration names it.
_BASES: dict[str, tuple[ModuleType, tuple[type, ...]]] = {
    "keras": (
        keras,
        (
            keras.Layer,
            keras.Loss,
            keras.Metric,
            keras.Initializer,
            keras.Regularizer,
            keras.optimizers.Optimizer,
            keras.dtype_policies.DTypePolicy,
        ),
    ),
    "keras.constraints": (keras.constraints, (keras.constraints.Constraint,)),
    "keras.dtype_policies": (keras.dtype_policies, (keras.dtype_policies.DTypePolicy,)),
    "keras.initializers": (keras.initializers, (keras.Initializer,)),
    "keras.layers": (keras.layers, (keras.Layer,)),
    "keras.losses": (keras.losses, (keras.Loss,)),
    "keras.metrics": (keras.metrics, (keras.Metric,)),
    "keras.models": (keras.models, (keras.Model,)),
    "keras.optimizers": (keras.optimizers, (keras.optimizers.Optimizer,)),
    "keras.optimizers.schedules": (
        keras.optimizers.schedules,
        (keras.optimizers.schedules.LearningRateSchedule,),
    ),
    "keras.random": (keras.random, (keras.random.SeedGenerator,)),
    "keras.regularizers": (keras.regularizers, (keras.Regularizer,)),
}
# Functional models, the operations in their graphs, and some layers of keras.applications have no
# public name.
_PRIVATE = re.compile(r"keras\.src\.(models\.functional|(ops|layers|applications)(\.[a-z0-9_]+)+)")
_PRIVATE_BASES = (keras.Operation,)

# What runs code that a configuration holds, or programs and files that it names.
_UNSAFE = tuple(
    getattr(keras.layers, name)
    for name in ("FlaxLayer", "JaxLayer", "Lambda", "TFSMLayer", "TorchModuleWrapper")
    if hasattr(keras.layers, name)
)
# What reads a file if its vocabulary is a string.
_LOOKUPS = (keras.layers.IntegerLookup, keras.layers.StringLookup, keras.layers.TextVectorization)

_FUNCTIONS: dict[str, tuple[ModuleType, ...]] = {
    "builtins": (keras.activations, keras.losses, keras.metrics),
    "keras.activations": (keras.activations,),
    "keras.losses": (keras.losses,),
    "keras.metrics": (keras.metrics,),
}
_NO_FUNCTIONS = {"deserialize", "get", "serialize"}

# What Keras writes for values that JSON has not, and what their configuration consists of.
_VALUES = {
    "__bytes__": {"value"},
    "__ellipsis__": set(),
    "__keras_tensor__": {"shape", "dtype", "keras_history"},
    "__numpy__": {"value", "dtype"},
    "__slice__": {"start", "stop", "step"},
    "__tensor__": {"value", "dtype"},
}
# An array of strings of a set length could take any amount of memory.
_DTYPE = re.compile(
    r"bool|string|u?int[0-9]{1,2}|(b?float)[0-9]{1,2}(_[a-z0-9]+)?|complex[0-9]{2,3}"
)


def check_config(config: Any, *, where: str) -> None:
    """Check that a serialised Keras object names nothing but harmless objects.

    These are Keras's own layers, operations, models, initialisers and the like, but for those that
    run code or read files, and whatever has been registered with Keras by its import. Nothing is
    imported and nothing is made.

    Parameters
    ----------
    config : JSON value
        What `keras.saving.serialize_keras_object` returned, in whatever way it was kept.
    where : str
        What errors call the configuration, for example ``"The model"``.

    Raises
    ------
    ArtefactError
        If it names anything else; the message says what, and where in the configuration.
    """
    _check(config, _Place(where, ""), 0)


def load_object(config: Any, *, where: str) -> Any:
    """Check a serialised Keras object, then make it.

    Parameters
    ----------
    config : JSON value
        As for `check_config`. It is not changed.
    where : str
        What errors call the configuration.

    Returns
    -------
    object
        What was serialised.

    Raises
    ------
    ArtefactError
        If the configuration names anything that is not harmless, or Keras cannot use it.
    """
    check_config(config, where=where)
    try:
        # Keras changes what it is given.
        return keras.saving.deserialize_keras_object(copy.deepcopy(config), safe_mode=True)
    except Exception as error:
        reason = f"{type(error).__name__}: {_shortened(str(error))}"
        msg = (
            f"{where} cannot be rebuilt by Keras {keras.__version__} ({reason}). It is damaged, or "
            "was saved with a version of Keras that writes it differently: load it with that one."
        )
        raise ArtefactError(msg) from error


class _Place:
    """Where in a configuration something stands, for messages."""

    def __init__(self, where: str, path: str) -> None:
        self.where = where
        self.path = path

    def at(self, key: object) -> _Place:
        return _Place(self.where, f"{self.path}[{reprlib.repr(key)}]")

    def refuse(self, problem: str) -> NoReturn:
        at = f" at {self.path}" if self.path else ""
        msg = f"{self.where} cannot be loaded: its configuration{at} {problem}"
        raise ArtefactError(msg)


def _check(value: Any, place: _Place, depth: int) -> None:
    if depth > MAX_DEPTH:
        shallow = _Place(place.where, "")
        shallow.refuse(f"is nested more than {MAX_DEPTH} deep, which no model is.")
    if isinstance(value, dict):
        if "class_name" in value:
            _check_object(value, place)
        for key, item in value.items():
            _check(item, place.at(key), depth + 1)
    elif isinstance(value, (list, tuple)):
        for position, item in enumerate(value):
            _check(item, place.at(position), depth + 1)
    elif value is not None and not isinstance(value, (bool, int, float, str)):
        place.refuse(f"must consist of JSON values. Received type {type(value).__name__}.")


def _check_object(config: dict[str, Any], place: _Place) -> None:
    class_name = config["class_name"]
    inner = config.get("config")
    if not isinstance(class_name, str):
        place.refuse(f"must name a class. Received class_name={reprlib.repr(class_name)}.")
    if class_name in _VALUES:
        if set(config) != {"class_name", "config"}:
            place.refuse(f"holds a {class_name} that is none.")
        _check_value(class_name, inner, place)
        return
    if class_name.startswith("__"):
        place.refuse(
            f"holds {reprlib.repr(class_name)}, which may run code of the file. Save the model "
            "with a layer or function that is registered by keras.saving.register_keras_"
            "serializable instead."
        )
    if "module" not in config:
        # Keras reads it in an older way then, and finds classes by other names than those that
        # are checked here.
        place.refuse(f"does not say which module {reprlib.repr(class_name)} is of. It is damaged.")
    # As Keras looks it up: a function by what stands for its configuration.
    is_function = class_name == "function"
    name = inner if is_function else config.get("registered_name", class_name)
    if name is not None and not isinstance(name, str):
        place.refuse(f"must name a class or function. Received {reprlib.repr(name)}.")
    found = None if name is None else keras.saving.get_registered_object(name)
    if found is None and is_function:
        _check_function(name, config.get("module"), place)
        return
    if found is None:
        found = _find_class(class_name, config.get("module"), place)
    if isinstance(found, type):
        _check_class(found, inner, place)


def _check_class(found: type, inner: Any, place: _Place) -> None:
    """Check a class that Keras knows, registered or its own."""
    if issubclass(found, _UNSAFE):
        place.refuse(
            f"holds a {found.__name__} layer, which may run code of the file or read other files. "
            "Save the model with a layer of your own that is registered by "
            "keras.saving.register_keras_serializable instead."
        )
    if not isinstance(inner, dict):
        place.refuse(
            f"must hold a dict as the configuration of {found.__name__}. "
            f"Received type {type(inner).__name__}."
        )
    if issubclass(found, _LOOKUPS) and not isinstance(inner.get("vocabulary"), (list, type(None))):
        place.refuse(
            f"holds a {found.__name__} layer that would read its vocabulary from "
            f"{reprlib.repr(inner['vocabulary'])}. Save the model with the vocabulary as a list."
        )


def _find_class(class_name: str, module: Any, place: _Place) -> type:
    """Return a class of Keras that a configuration names, if it is one that it may name."""
    namespace: ModuleType | None = None
    bases: tuple[type, ...] = _PRIVATE_BASES
    if isinstance(module, str) and module in _BASES:
        namespace, bases = _BASES[module]
    elif isinstance(module, str) and _PRIVATE.fullmatch(module):
        namespace = sys.modules.get(module)
    elif not isinstance(module, str) or not module.startswith("keras."):
        _refuse_unregistered(f"class {reprlib.repr(class_name)}", module, place)
    # From what the module holds itself, so that a name with a dot in it leads nowhere.
    found = None if namespace is None else vars(namespace).get(class_name)
    if not isinstance(found, type) or not issubclass(found, bases):
        place.refuse(
            f"names {reprlib.repr(class_name)} of {reprlib.repr(module)}, which is no layer, "
            f"operation or other part of a model in Keras {keras.__version__}. If it comes from a "
            "newer version, upgrade Keras."
        )
    return found


def _check_function(name: str | None, module: Any, place: _Place) -> None:
    if name is not None and isinstance(module, str) and module in _FUNCTIONS:
        for namespace in _FUNCTIONS[module]:
            found = vars(namespace).get(name)
            if isinstance(found, FunctionType) and name not in _NO_FUNCTIONS:
                return
    _refuse_unregistered(f"function {reprlib.repr(name)}", module, place)


def _refuse_unregistered(what: str, module: Any, place: _Place) -> NoReturn:
    place.refuse(
        f"names the {what} of the module {reprlib.repr(module)}, which is neither a part of a "
        "model in Keras nor registered with Keras. If a package that you trust defines and "
        "registers it, import that package first. Nothing was imported or run."
    )


def _check_value(class_name: str, inner: Any, place: _Place) -> None:
    if not isinstance(inner, dict) or set(inner) != _VALUES[class_name]:
        place.refuse(f"holds a {class_name} that is none.")
    dtype = inner.get("dtype")
    if "dtype" in inner and not (isinstance(dtype, str) and _DTYPE.fullmatch(dtype)):
        place.refuse(f"holds a {class_name} of the dtype {reprlib.repr(dtype)}.")


def _shortened(text: str, limit: int = 500) -> str:
    return text if len(text) <= limit else f"{text[:limit]}..."
