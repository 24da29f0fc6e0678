"""Errors that the command line reports in one sentence."""


class CommandError(ValueError):
    """The data or the files cannot be used; exit status 1."""


class NoColumnError(CommandError):
    """No column of a file can be read."""


class UsageError(ValueError):
    """The options do not fit together; exit status 2."""
