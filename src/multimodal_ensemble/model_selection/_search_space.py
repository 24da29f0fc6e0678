"""The values that a search tries: what users write, as distributions of Optuna."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from numbers import Integral, Real
from typing import Any

from multimodal_ensemble._tables import abbreviate, to_python
from multimodal_ensemble.model_selection._import_optuna import import_optuna
from multimodal_ensemble.model_selection._search_identity import describe_value

# What Optuna stores as it is; other choices are stored by their text or name.
_PLAIN = bool | int | float | str | None

_ACCEPTED = (
    "a list of choices such as [64, 128]; a dict of choices by name for objects, such as "
    "{'small': DenseHead(16)}; a range (low, high), (low, high, step) or (low, high, 'log'), of "
    "whole numbers if all its numbers are whole; or a distribution of optuna.distributions"
)


class SearchSpace:
    """What a search tries, from a mapping of parameter names or a function of an Optuna trial.

    A mapping has the values of each parameter. A function calls methods of the trial such as
    `suggest_float`, and returns the values of the parameters, which may depend on each other.
    """

    def __init__(self, space: Mapping[str, Any] | Callable[[Any], Mapping[str, Any]]) -> None:
        self.function = space if callable(space) else None
        self.distributions: dict[str, Any] = {}
        # The value of each stored choice.
        self._choices: dict[str, dict[Any, Any]] = {}
        if callable(space):
            return
        if not isinstance(space, Mapping) or not space:
            msg = (
                "space must be a dict with the values of each parameter, such as "
                "{'tags__max_tokens': [100, 1000]}, or a function of an Optuna trial that returns "
                f"the parameters. Received {space!r}."
            )
            raise ValueError(msg)
        for name, values in space.items():
            self.distributions[name] = self._read(name, values)

    def suggest(self, trial: Any) -> dict[str, Any]:
        """Return the values of parameters that a trial suggests."""
        if self.function is not None:
            params = self.function(trial)
            if not isinstance(params, Mapping) or not all(isinstance(name, str) for name in params):
                msg = (
                    "The function that is passed as space must return a dict from names of "
                    f"parameters to values. Received {params!r}."
                )
                raise TypeError(msg)
            return dict(params)
        return {
            name: self._value(name, _suggest(trial, name, distribution))
            for name, distribution in self.distributions.items()
        }

    def stored_values(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return how a trial stores values of parameters, without those outside of the space."""
        stored = {}
        for name, distribution in self.distributions.items():
            if name not in params:
                continue
            value = to_python(params[name])
            if hasattr(distribution, "choices"):
                options = [(key, self._value(name, key)) for key in distribution.choices]
                found = [key for key, option in options if _is_same(option, value)]
                if found:
                    stored[name] = found[0]
            elif _is_in_range(distribution, value):
                # A range of numbers that are not whole suggests 1.0, and not 1.
                stored[name] = value if _is_whole(distribution) else float(value)
        return stored

    def examples(self) -> dict[str, Any]:
        """Return one value of each parameter of a mapping."""
        return {
            name: self._value(name, getattr(distribution, "choices", [None])[0])
            for name, distribution in self.distributions.items()
        }

    def describe(self) -> dict[str, str]:
        """Return a text for each parameter that is the same in all processes."""
        if self.function is not None:
            return {"function": describe_value(self.function)}
        return {name: str(distribution) for name, distribution in self.distributions.items()}

    def _value(self, name: str, stored: Any) -> Any:
        return self._choices[name][stored] if name in self._choices else stored

    def _read(self, name: Any, values: Any) -> Any:
        distributions = import_optuna().distributions
        if not isinstance(name, str):
            msg = f"space must have names of parameters as its keys. Received {name!r}."
            raise ValueError(msg)
        if isinstance(values, distributions.BaseDistribution):
            return values
        if isinstance(values, Mapping) and values:
            keys = _distinct(name, [str(key) for key in values])
            self._choices[name] = dict(zip(keys, values.values(), strict=True))
            return distributions.CategoricalDistribution(keys)
        if isinstance(values, list) and values:
            stored = [_text(name, to_python(value)) for value in values]
            if not all(isinstance(to_python(value), _PLAIN) for value in values):
                self._choices[name] = dict(zip(stored, values, strict=True))
            return distributions.CategoricalDistribution(_distinct(name, stored))
        if isinstance(values, tuple) and 2 <= len(values) <= 3:
            is_log = values[2:] == ("log",)
            numbers = [to_python(value) for value in (values[:2] if is_log else values)]
            if all(isinstance(n, Real) and not isinstance(n, bool) for n in numbers):
                return _range(name, values, numbers, log=is_log)
        msg = f"space[{name!r}] must be {_ACCEPTED}. Received {values!r}."
        raise ValueError(msg)


def _range(name: str, given: Any, numbers: Sequence[Any], *, log: bool) -> Any:
    distributions = import_optuna().distributions
    low, high, *steps = numbers
    faults = {
        "must be finite": not all(math.isfinite(number) for number in numbers),
        "must have low below high": not low < high,
        "must be above 0 for 'log'": log and low <= 0,
        "must have a step above 0": bool(steps) and steps[0] <= 0,
    }
    for fault, is_found in faults.items():
        if is_found:
            msg = f"The range space[{name!r}] {fault}. Received {given!r}."
            raise ValueError(msg)
    step = steps[0] if steps else None
    if step is not None:
        # The last value that is a whole number of steps above the lowest.
        n_steps = math.floor((high - low) / step * (1 + 1e-12))
        # 0.1 + 2 * 0.1 is more than 0.3.
        high = type(low + step)(Decimal(str(low)) + n_steps * Decimal(str(step)))
    if all(isinstance(number, Integral) for number in numbers):
        return distributions.IntDistribution(low, high, log=log, step=step or 1)
    return distributions.FloatDistribution(float(low), float(high), log=log, step=step)


def _text(name: str, value: Any) -> Any:
    """Return a choice as it is stored."""
    if isinstance(value, _PLAIN):
        return value
    text = repr(value)
    if re.search(r"\bat 0x[0-9a-fA-F]+", text):
        msg = (
            f"space[{name!r}] has the choice {text}, whose text differs between processes, so a "
            "table of trials cannot show it. Name it: pass a dict from names to choices, such as "
            "{'name': choice}."
        )
        raise ValueError(msg)
    return text


def _distinct(name: str, choices: list[Any]) -> list[Any]:
    # 1, 1.0 and True are equal.
    repeated = [choice for place, choice in enumerate(choices) if choice in choices[:place]]
    if repeated:
        msg = (
            f"The choices of space[{name!r}] must be distinct. Received {abbreviate(repeated)} "
            "more than once; a dict of choices by name can hold equal ones."
        )
        raise ValueError(msg)
    return choices


def _suggest(trial: Any, name: str, distribution: Any) -> Any:
    if hasattr(distribution, "choices"):
        return trial.suggest_categorical(name, distribution.choices)
    suggest = trial.suggest_int if _is_whole(distribution) else trial.suggest_float
    options = {"step": distribution.step, "log": distribution.log}
    return suggest(name, distribution.low, distribution.high, **options)


def _is_whole(distribution: Any) -> bool:
    return isinstance(distribution, import_optuna().distributions.IntDistribution)


def _is_same(option: Any, value: Any) -> bool:
    if option is value:
        return True
    try:
        return type(option) is type(value) and bool(option == value)
    except ValueError:
        # Arrays are compared element by element.
        return False


def _is_in_range(distribution: Any, value: Any) -> bool:
    kind = Integral if _is_whole(distribution) else Real
    if isinstance(value, bool) or not isinstance(value, kind):
        return False
    if not distribution.low <= value <= distribution.high:
        return False
    steps = (value - distribution.low) / (distribution.step or 1)
    return distribution.step is None or math.isclose(steps, round(steps), abs_tol=1e-9)
