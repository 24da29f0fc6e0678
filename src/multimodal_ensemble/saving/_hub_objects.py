"""Objects of KerasHub in a configuration: backbones and plain layers are harmless.

Its tokenizers read files, and its tasks and preprocessors hold tokenizers.
"""

from __future__ import annotations

import re
import sys
from importlib import import_module
from typing import Any

from multimodal_ensemble.saving._config_values import Place

_NAME = re.compile(r"keras_(hub|nlp)>\w+")
_FUNCTIONS = {"gelu_approximate"}
# A backbone makes as many blocks as a number in its configuration says.
_BLOCKS = re.compile(r"layers|blocks|depth|repeats")
_MAX_BLOCKS = 1000


def import_hub_for(name: str) -> None:
    """Import KerasHub if an object has the name of one of KerasHub, and it is installed."""
    if _NAME.fullmatch(name):
        try:
            import_module("keras_hub")
        except ImportError:
            # The check of the name then says that its package is to be imported.
            return


def find_hub_layer(class_name: str, module: Any) -> type | None:
    """Return a layer of KerasHub; it does not register those of all of its networks."""
    import keras

    if not isinstance(module, str) or not module.startswith("keras_hub.src."):
        return None
    import_hub_for("keras_hub>Layer")
    found = vars(sys.modules.get(module, object)).get(class_name)
    return found if isinstance(found, type) and issubclass(found, keras.layers.Layer) else None


def check_hub_object(found: Any, inner: Any, place: Place) -> None:
    """Refuse an object of KerasHub that is no backbone, image converter or plain layer."""
    import keras

    if not str(getattr(found, "__module__", "")).startswith("keras_hub."):
        return
    hub = import_module("keras_hub")
    converter = hub.layers.ImageConverter
    if isinstance(found, type):
        is_harmless = issubclass(found, (hub.models.Backbone, converter)) or (
            issubclass(found, keras.layers.Layer)
            # The base class of all layers that prepare inputs has no public name.
            and not issubclass(found, (keras.Model, *converter.__bases__))
        )
    else:
        is_harmless = getattr(found, "__name__", None) in _FUNCTIONS
    if not is_harmless:
        place.refuse(
            f"names {getattr(found, '__name__', found)!r} of KerasHub, which is neither a backbone "
            "nor a layer of one, and may read other files."
        )
    if isinstance(inner, dict):
        n_blocks = sum(_sum(value) for key, value in inner.items() if _BLOCKS.search(str(key)))
        if n_blocks > _MAX_BLOCKS:
            place.refuse(
                f"describes {n_blocks:,} blocks of layers, and no network has more than "
                f"{_MAX_BLOCKS:,}."
            )


def _sum(value: Any) -> int:
    """Return the sum of the whole numbers in a value."""
    if isinstance(value, (list, tuple)):
        return sum(map(_sum, value))
    return abs(value) if isinstance(value, int) and not isinstance(value, bool) else 0
