"""Errors that the command line reports in one sentence, with exit status 2."""


class DataError(ValueError):
    """The data cannot be used."""


class UsageError(ValueError):
    """The options are invalid or contradict each other."""
