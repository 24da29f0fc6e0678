"""Rebuild Keras objects from a file only after a check of everything that the file names.

Keras's own safe mode refuses Python lambdas. Some of its versions still import any module that a
configuration names and return any of its functions. Layers may also read files or run code of
other programs. So Keras receives nothing before every name in it is known to be harmless.
"""

from __future__ import annotations

import copy
import re
import reprlib
import sys
from dataclasses import dataclass
from functools import cache
from types import FunctionType, ModuleType
from typing import Any, NoReturn

from multimodal_ensemble.exceptions import ArtefactError

# Far deeper than any real model: a model within a model adds about five levels.
MAX_DEPTH = 250
_MAX_REASON_LENGTH = 500

# Functional models, the operations in their graphs, and some layers of keras.applications have no
# public name.
_PRIVATE = re.compile(r"keras\.src\.(models\.functional|(ops|layers|applications)(\.[a-z0-9_]+)+)")
_NO_FUNCTIONS = {"deserialize", "get", "serialize"}

# The classes under which Keras writes values that JSON lacks, and the keys of their configuration.
_VALUES = {
    "__bytes__": {"value"},
    "__ellipsis__": set(),
    "__keras_tensor__": {"shape", "dtype", "keras_history"},
    "__numpy__": {"value", "dtype"},
    "__slice__": {"start", "stop", "step"},
    "__tensor__": {"value", "dtype"},
}
# An array of strings of a given length could take any amount of memory.
_DTYPE = re.compile(
    r"bool|string|u?int[0-9]{1,2}|(b?float)[0-9]{1,2}(_[a-z0-9]+)?|complex[0-9]{2,3}"
)


@dataclass(frozen=True)
class _Allowed:
    """What a configuration may name, read from Keras as it is imported.

    Parameters
    ----------
    bases : dict
        For each module that may be named, its namespace and the base classes that its classes
        must have. No module is imported because a configuration names it.
    private_bases : tuple of type
        Base classes for the classes of the modules that `_PRIVATE` matches.
    unsafe : tuple of type
        Layers that run code in a configuration, or programs and files that it names.
    lookups : tuple of type
        Layers that read a file if their vocabulary is a string.
    functions : dict
        For each module that a function may name, the namespaces to look it up in.
    """

    bases: dict[str, tuple[ModuleType, tuple[type, ...]]]
    private_bases: tuple[type, ...]
    unsafe: tuple[type, ...]
    lookups: tuple[type, ...]
    functions: dict[str, tuple[ModuleType, ...]]


@cache
def _allowed() -> _Allowed:
    # Imported here, so that writing files does not import Keras.
    import keras

    layers, optimizers, policies = keras.layers, keras.optimizers, keras.dtype_policies
    public = (
        keras.Layer,
        keras.Loss,
        keras.Metric,
        keras.Initializer,
        keras.Regularizer,
        optimizers.Optimizer,
        policies.DTypePolicy,
    )
    unsafe = ("FlaxLayer", "JaxLayer", "Lambda", "TFSMLayer", "TorchModuleWrapper")
    return _Allowed(
        bases={
            "keras": (keras, public),
            "keras.constraints": (keras.constraints, (keras.constraints.Constraint,)),
            "keras.dtype_policies": (policies, (policies.DTypePolicy,)),
            "keras.initializers": (keras.initializers, (keras.Initializer,)),
            "keras.layers": (layers, (keras.Layer,)),
            "keras.losses": (keras.losses, (keras.Loss,)),
            "keras.metrics": (keras.metrics, (keras.Metric,)),
            "keras.models": (keras.models, (keras.Model,)),
            "keras.optimizers": (optimizers, (optimizers.Optimizer,)),
            "keras.optimizers.schedules": (
                optimizers.schedules,
                (optimizers.schedules.LearningRateSchedule,),
            ),
            "keras.random": (keras.random, (keras.random.SeedGenerator,)),
            "keras.regularizers": (keras.regularizers, (keras.Regularizer,)),
        },
        private_bases=(keras.Operation,),
        unsafe=tuple(getattr(layers, name) for name in unsafe if hasattr(layers, name)),
        lookups=(layers.IntegerLookup, layers.StringLookup, layers.TextVectorization),
        functions={
            "builtins": (keras.activations, keras.losses, keras.metrics),
            "keras.activations": (keras.activations,),
            "keras.losses": (keras.losses,),
            "keras.metrics": (keras.metrics,),
        },
    )


def check_config(config: Any, *, where: str) -> None:
    """Check that a serialised Keras object names only harmless objects.

    Harmless are Keras's own layers, operations, models, initialisers and the like, except those
    that run code or read files, and every object that is registered with Keras. The check imports
    and creates nothing.

    Parameters
    ----------
    config : JSON value
        The result of `keras.saving.serialize_keras_object`, also after a round trip through JSON.
    where : str
        Name of the configuration in errors, for example ``"The model"``.

    Raises
    ------
    ArtefactError
        If it names anything else; the message says what, and where in the configuration.

    See Also
    --------
    load_object : Checks a configuration and creates its object.

    Examples
    --------
    >>> import keras
    >>> from multimodal_ensemble.saving import check_config
    >>> config = keras.saving.serialize_keras_object(keras.layers.Dense(2))
    >>> check_config(config, where="The layer")
    >>> config.update(module="os", class_name="system", registered_name="x")
    >>> check_config(config, where="The layer")
    Traceback (most recent call last):
    multimodal_ensemble.exceptions.ArtefactError: The layer cannot be loaded: its
    configuration names the class 'system' of the module 'os', which is neither a part
    of a model in Keras nor registered with Keras. ...
    """
    _check(config, _Place(where, ""), 0)


def load_object(config: Any, *, where: str) -> Any:
    """Check a serialised Keras object, then create it.

    Parameters
    ----------
    config : JSON value
        As for `check_config`. It is not changed.
    where : str
        Name of the configuration in errors, for example ``"The model"``.

    Returns
    -------
    object
        The object that was serialised.

    Raises
    ------
    ArtefactError
        If the configuration names anything that is not harmless, or Keras cannot use it.

    See Also
    --------
    check_config : Only checks.

    Examples
    --------
    >>> import keras
    >>> from multimodal_ensemble.saving import load_object
    >>> config = keras.saving.serialize_keras_object(keras.layers.Dense(2))
    >>> load_object(config, where="The layer").units
    2
    """
    import keras

    check_config(config, where=where)
    try:
        # Keras modifies its argument.
        return keras.saving.deserialize_keras_object(copy.deepcopy(config), safe_mode=True)
    except Exception as error:
        reason = f"{type(error).__name__}: {str(error)[:_MAX_REASON_LENGTH]}"
        msg = (
            f"{where} cannot be rebuilt by Keras {keras.__version__} ({reason}). It is damaged, or "
            "was saved with a version of Keras that writes it differently: load it with that "
            "version."
        )
        raise ArtefactError(msg) from error


class _Place:
    """A place in a configuration, for messages."""

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
        shallow.refuse(f"is nested more than {MAX_DEPTH} levels deep, which no model is.")
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
            place.refuse(f"holds an invalid {class_name}.")
        _check_value(class_name, inner, place)
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
    found = None if name is None else _find_registered(name)
    if found is None and is_function:
        _check_function(name, config.get("module"), place)
        return
    if found is None:
        found = _find_class(class_name, config.get("module"), place)
    if isinstance(found, type):
        _check_class(found, inner, place)


def _check_class(found: type, inner: Any, place: _Place) -> None:
    """Check a class that Keras defines or that is registered with Keras."""
    if issubclass(found, _allowed().unsafe):
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
    takes_vocabulary = issubclass(found, _allowed().lookups)
    if takes_vocabulary and not isinstance(inner.get("vocabulary"), (list, type(None))):
        place.refuse(
            f"holds a {found.__name__} layer that would read its vocabulary from "
            f"{reprlib.repr(inner['vocabulary'])}. Save the model with the vocabulary as a list."
        )


def _find_class(class_name: str, module: Any, place: _Place) -> type:
    """Return a class of Keras that a configuration names, if the configuration may name it."""
    namespace: ModuleType | None = None
    bases = _allowed().private_bases
    if isinstance(module, str) and module in _allowed().bases:
        namespace, bases = _allowed().bases[module]
    elif isinstance(module, str) and _PRIVATE.fullmatch(module):
        namespace = sys.modules.get(module)
    elif not isinstance(module, str) or not module.startswith("keras."):
        _refuse_unregistered(f"class {reprlib.repr(class_name)}", module, place)
    # Only the module's own names count, so that a name with a dot in it finds nothing.
    found = None if namespace is None else vars(namespace).get(class_name)
    if not isinstance(found, type) or not issubclass(found, bases):
        place.refuse(
            f"names {reprlib.repr(class_name)} of {reprlib.repr(module)}, which is no layer, "
            "operation or other part of a model in the installed Keras. If it comes from a newer "
            "version, upgrade Keras."
        )
    return found


def _check_function(name: str | None, module: Any, place: _Place) -> None:
    functions = _allowed().functions
    if name is not None and isinstance(module, str) and module in functions:
        for namespace in functions[module]:
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
        place.refuse(f"holds an invalid {class_name}.")
    dtype = inner.get("dtype")
    if "dtype" in inner and not (isinstance(dtype, str) and _DTYPE.fullmatch(dtype)):
        place.refuse(f"holds a {class_name} with the dtype {reprlib.repr(dtype)}.")


def _find_registered(name: str) -> Any:
    import keras

    return keras.saving.get_registered_object(name)
