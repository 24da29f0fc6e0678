"""What a command consists of."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from multimodal_ensemble.cli._console import Console


class Add(Protocol):
    """Adds an argument to a parser, with its default in the help."""

    def __call__(self, *names: str, help: str, default: object = None, **options: Any) -> None: ...


@dataclass(frozen=True)
class Command:
    """One command: its name, description, arguments, and what it does.

    `execute` imports slow libraries, so that the help and errors of usage appear at once.
    """

    name: str
    description: str
    add_arguments: Callable[[Add], None]
    execute: Callable[[argparse.Namespace, Console], None]

    @property
    def summary(self) -> str:
        """The first sentence of the description, as a list of commands shows it."""
        first = self.description.partition(".\n")[0].rstrip(".")
        return first[0].lower() + first[1:]


def make_add(parser: argparse.ArgumentParser, actions: dict[str, argparse.Action]) -> Add:
    """Return a function that adds arguments to a parser, and options also to `actions`."""

    def add(*names: str, help: str, default: object = None, **options: Any) -> None:
        if default is not None:
            options["default"], help = default, f"{help} (default: {default})"
        action = parser.add_argument(*names, help=help, **options)
        if action.option_strings:
            actions[action.dest] = action

    return add
