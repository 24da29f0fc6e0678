"""The options of the command ``retrieve``."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

from ._key import Credential


@dataclasses.dataclass(frozen=True)
class RequestPolicy:
    """How requests are made.

    Parameters
    ----------
    rate : float
        Requests per second to the API; TMDB asks for no more than about 40. Its image host has no
        such limit.
    connections : int
        The number of parallel requests.
    timeout : float
        Seconds to wait for a connection and for each part of an answer. A whole answer may take
        three times as long.
    attempts : int
        The number of attempts per request.
    backoff : float
        Seconds before the second attempt; doubled for each further one.
    patience : float
        Seconds for which all requests may be refused until the command ends.
    """

    rate: float = 40.0
    connections: int = 16
    timeout: float = 20.0
    attempts: int = 6
    backoff: float = 0.5
    patience: float = 600.0


@dataclasses.dataclass(frozen=True)
class RetrieveOptions:
    """What to retrieve, and how.

    Parameters
    ----------
    movielens : Path
        The MovieLens folder.
    out : Path
        The data folder, which is created if necessary. It may be `movielens`, or a folder that an
        earlier run has left unfinished.
    find_credential : callable
        Returns the key for TMDB; called if there is something to ask.
    links : Path, optional
        A file that replaces the ``links.csv`` of `movielens`.
    api_url : str
        The address of the API, without a final slash.
    poster_size : str
        One of the sizes that TMDB offers.
    policy : RequestPolicy
        How requests are made.
    give_up_after : int
        The number of consecutive failures of a host after which the command stops.
    limit : int, optional
        Retrieve only this many movies, the first ones.
    ask_again : bool
        Ask again for what TMDB did not have.
    quiet : bool
        Show no progress.
    """

    movielens: Path
    out: Path
    find_credential: Callable[[], Credential]
    links: Path | None = None
    api_url: str = "https://api.themoviedb.org/3"
    poster_size: str = "w185"
    policy: RequestPolicy = dataclasses.field(default_factory=RequestPolicy)
    give_up_after: int = 50
    limit: int | None = None
    ask_again: bool = False
    quiet: bool = False
