"""What can go wrong between the command and TMDB; no message holds an address or a key."""


class UnansweredError(Exception):
    """One attempt came to nothing; the message is the reason, in a few words.

    Parameters
    ----------
    reason : str
        What came instead of an answer.
    passing : bool
        Whether another attempt may fare better.
    """

    def __init__(self, reason: str, *, passing: bool = True) -> None:
        super().__init__(reason)
        self.passing = passing


class RefusedError(Exception):
    """The server takes no requests for longer than one wants to wait."""


class KeyRefusedError(Exception):
    """The server does not know the key."""


class StoppedError(Exception):
    """The command is about to end; what was under way is dropped."""
