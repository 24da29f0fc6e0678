"""Parameters in the way of scikit-learn, for encoders, heads and augmentations."""

from __future__ import annotations

import copy
import inspect
import os
from collections.abc import Mapping
from typing import Any, Self

import keras
from sklearn.base import BaseEstimator, clone

from multimodal_ensemble._tables import to_python


class CheckedParameters(BaseEstimator):
    """An object whose constructor checks its arguments and stores each under its own name."""

    @classmethod
    def _get_param_names(cls) -> list[str]:
        arguments = inspect.signature(cls).parameters.values()
        if any(argument.kind is inspect.Parameter.VAR_KEYWORD for argument in arguments):
            # scikit-learn would ignore them, so a copy would lose what they set.
            msg = (
                f"The constructor of {cls.__name__} must name its arguments, as scikit-learn "
                "demands, and not collect them in **kwargs."
            )
            raise TypeError(msg)
        names: list[str] = super()._get_param_names()
        return names

    def set_params(self, **params: Any) -> Self:
        """Change parameters after checking them; an error leaves the object as it was.

        A nested parameter, such as ``head__dropout``, changes a copy of the inner object, because
        other encoders may have received the same one.
        """
        nested = {key: value for key, value in params.items() if "__" in key}
        changed = copy.copy(self)
        own = {key: value for key, value in params.items() if key not in nested}
        BaseEstimator.set_params(changed, **own)
        for argument in {key.partition("__")[0] for key in nested} & vars(changed).keys():
            inner = getattr(changed, argument)
            if not hasattr(inner, "set_params"):
                listed = sorted(key for key in nested if key.startswith(f"{argument}__"))
                msg = f"{argument}={inner!r} has no parameters. Received {listed}."
                raise ValueError(msg)
            setattr(changed, argument, clone(inner))
        BaseEstimator.set_params(changed, **nested)
        checked = type(self)(**changed.get_params(deep=False))
        self.__dict__.update(vars(checked))
        return self

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as values that Keras can write to JSON."""
        return {
            key: keras.saving.serialize_keras_object(
                os.fspath(value) if isinstance(value, os.PathLike) else to_python(value)
            )
            for key, value in self.get_params(deep=False).items()
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Make a new object from what `get_config` returned; ignore unknown arguments."""
        known, read = inspect.signature(cls).parameters, keras.saving.deserialize_keras_object
        return cls(**{key: read(value) for key, value in config.items() if key in known})
