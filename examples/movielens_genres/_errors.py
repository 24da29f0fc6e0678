"""What the command line answers with one clear sentence and status 2."""


class DataError(ValueError):
    """The data cannot be used; the message is one clear sentence."""


class UsageError(ValueError):
    """The options cannot be followed; the message is one clear sentence."""
