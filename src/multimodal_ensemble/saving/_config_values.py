"""Values and calls in a serialised Keras object, and how to refuse one of its places."""

from __future__ import annotations

import re
import reprlib
from typing import Any, NamedTuple, NoReturn

from multimodal_ensemble.exceptions import ArtefactError

# The classes under which Keras writes values that JSON lacks, and the keys of their configuration.
VALUES = {
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


class Place(NamedTuple):
    """A place in a configuration, for messages."""

    where: str
    path: str = ""
    # Whether it is in what a model was compiled with.
    compiles: bool = False

    def at(self, key: object) -> Place:
        compiles = self.compiles or key == "compile_config"
        return Place(self.where, f"{self.path}[{reprlib.repr(key)}]", compiles)

    def refuse(self, problem: str) -> NoReturn:
        at = f" at {self.path}" if self.path else ""
        msg = f"{self.where} cannot be loaded: its configuration{at} {problem}"
        raise ArtefactError(msg)


def check_value(class_name: str, config: dict[str, Any], place: Place) -> None:
    """Check one of the values that JSON lacks."""
    inner = config.get("config")
    is_complete = set(config) == {"class_name", "config"}
    if not is_complete or not isinstance(inner, dict) or set(inner) != VALUES[class_name]:
        place.refuse(f"holds an invalid {class_name}.")
    dtype = inner.get("dtype")
    if "dtype" in inner and not (isinstance(dtype, str) and _DTYPE.fullmatch(dtype)):
        place.refuse(f"holds a {class_name} with the dtype {reprlib.repr(dtype)}.")


def check_nodes(nodes: Any, place: Place) -> None:
    """Check that each call in a model has an input: Keras computes a call of constants at once."""
    for node in nodes if isinstance(nodes, list | tuple) else [nodes]:
        arguments = [node.get("args"), node.get("kwargs")] if isinstance(node, dict) else []
        if not _has_tensor(arguments):
            place.refuse(
                "calls a layer or operation without an input, which would be computed while the "
                "model is loaded."
            )


def _has_tensor(value: Any) -> bool:
    if isinstance(value, dict) and "class_name" in value:
        return bool(value["class_name"] == "__keras_tensor__")
    items = value.values() if isinstance(value, dict) else value
    return isinstance(value, dict | list | tuple) and any(map(_has_tensor, items))
