"""Errors that the command line reports in one sentence, with exit status 2."""

from ..command_line import ExampleError


class DataError(ExampleError):
    """The data cannot be used."""


class UsageError(ExampleError):
    """The options are invalid or contradict each other."""
