"""Errors between the command and TMDB; no message contains an address or a key."""


class UnansweredError(Exception):
    """One attempt failed; the message is the reason in a few words.

    Parameters
    ----------
    reason : str
        What arrived instead of an answer.
    passing : bool
        Whether another attempt may succeed.
    """

    def __init__(self, reason: str, *, passing: bool = True) -> None:
        super().__init__(reason)
        self.passing = passing


class RefusedError(Exception):
    """The server refuses requests for longer than the user wants to wait."""


class KeyRefusedError(Exception):
    """The server refuses the key."""


class StoppedError(Exception):
    """The command is about to end, and drops pending requests."""
