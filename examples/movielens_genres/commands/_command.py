"""What a command consists of, and checks of its options."""

import argparse
import importlib.util
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from .._errors import UsageError

Options = TypeVar("Options")
Add = Callable[..., None]


class Command(Generic[Options]):
    """One command of the example."""

    def __init__(
        self,
        name: str,
        description: str,
        add_arguments: Callable[[Add], None],
        parse: Callable[[argparse.Namespace], Options],
        execute: Callable[[Options], int],
        *,
        kept: str = "nothing was changed",
        hints: Mapping[type[Exception], str] | None = None,
    ) -> None:
        self.name, self.description = name, description
        self.add_arguments, self.parse, self.execute = add_arguments, parse, execute
        self.kept, self.hints = kept, hints or {}

    def add_parser(self, commands: Any) -> None:
        """Add the parser of this command to those of the others."""
        summary = self.description.partition(".\n")[0].rstrip(".")
        parser = commands.add_parser(
            self.name,
            help=summary[0].lower() + summary[1:],
            description=self.description.strip(),
        )
        parser.set_defaults(command=self)

        def add(*names: str, help: str, default: object = None, **kwargs: Any) -> None:
            # The formatter of argparse would also print defaults of None.
            if default is not None:
                kwargs["default"], help = default, f"{help} (default: {default})"
            parser.add_argument(*names, help=help, **kwargs)

        self.add_arguments(add)


def check_plots() -> None:
    """Check before any long computation that figures can be drawn."""
    if importlib.util.find_spec("matplotlib") is None:
        msg = 'The figures need matplotlib; run pip install ".[plots]".'
        raise UsageError(msg)


def check_at_least(values: argparse.Namespace, **smallest: int) -> None:
    """Check that whole numbers are large enough, where they are given."""
    for name, least in smallest.items():
        value = getattr(values, name)
        if value is not None and value < least:
            msg = f"--{name.replace('_', '-')} must be at least {least}, not {value}."
            raise UsageError(msg)
