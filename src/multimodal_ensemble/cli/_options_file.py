"""Options of commands in a TOML file."""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from multimodal_ensemble.cli._errors import UsageError

Actions = Mapping[str, argparse.Action]
# Labels of explain are labels, and those of other commands columns.
_NOT_SHARED = {("explain", "labels")}


def apply_options_file(
    path: str, command: str, parser: argparse.ArgumentParser, actions: Mapping[str, Actions]
) -> None:
    """Make the options in a file the defaults of a command's parser.

    Keys are long options without dashes in front. Those at the top are for all commands that have
    them, and those in a table such as ``[train]`` for one command. `actions` are the options of
    each command.
    """
    document = _read_toml(path)
    tables = {key: value for key, value in document.items() if isinstance(value, dict)}
    if unknown := sorted(set(tables) - set(actions)):
        msg = f"{path}: there is no command {unknown[0]!r}; the commands are {', '.join(actions)}."
        raise UsageError(msg)
    shared = {_dest(key): value for key, value in document.items() if key not in tables}
    known = {name for each in actions.values() for name in each}
    own = {_dest(key): value for key, value in tables.get(command, {}).items()}
    unknown = sorted([*(set(shared) - known), *(set(own) - set(actions[command]))])
    if unknown:
        msg = f"{path}: there is no option {unknown[0].replace('_', '-')!r} for {command}."
        raise UsageError(msg)
    shared = {name: each for name, each in shared.items() if (command, name) not in _NOT_SHARED}
    for name, value in {**shared, **own}.items():
        if (action := actions[command].get(name)) is not None:
            place = f"{path}: {name.replace('_', '-')}"
            parser.set_defaults(**{name: _convert(value, action, place)})
            action.required = False


def _read_toml(path: str) -> dict[str, Any]:
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        msg = f"The options file {path!r} cannot be read: {error.strerror}."
        raise UsageError(msg) from error
    except ValueError as error:
        msg = f"The options file {path!r} is not valid TOML: {error}."
        raise UsageError(msg) from error


def _dest(key: str) -> str:
    return key.replace("-", "_")


def _convert(value: Any, action: argparse.Action, place: str) -> Any:
    """Return a value of the file as the parser would have read it from the command line."""
    if action.nargs == 0:
        if not isinstance(value, bool):
            msg = f"{place} must be true or false. Received {value!r}."
            raise UsageError(msg)
        return value
    if action.nargs is not None:
        values = value if isinstance(value, list) else [value]
        if not values:
            msg = f"{place} is an empty list; leave it out, or name something."
            raise UsageError(msg)
        return [_convert_one(each, action, place) for each in values]
    return _convert_one(value, action, place)


def _convert_one(value: Any, action: argparse.Action, place: str) -> Any:
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        msg = f"{place} takes a text or a number. Received {value!r}."
        raise UsageError(msg)
    try:
        converted = action.type(str(value)) if callable(action.type) else str(value)
    except (ValueError, argparse.ArgumentTypeError) as error:
        msg = f"{place}: {error}."
        raise UsageError(msg) from error
    if action.choices is not None and converted not in action.choices:
        msg = f"{place} must be one of {', '.join(map(str, action.choices))}. Received {value!r}."
        raise UsageError(msg)
    return converted
