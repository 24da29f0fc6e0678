"""The commands, one a module: each adds its parser and does its work."""

from . import _analyse, _missing, _prepare, _retrieve, _run

COMMANDS = (_retrieve, _analyse, _prepare, _run, _missing)

__all__ = ["COMMANDS"]
