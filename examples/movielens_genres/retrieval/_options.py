"""The options of the command ``retrieve``."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

from ._key import Credential


@dataclasses.dataclass(frozen=True)
class RequestPolicy:
    """How requests are made."""

    # Requests per second to the API; TMDB asks for no more than about 40. Its image host has no
    # such limit.
    rate: float = 40.0
    connections: int = 16  # the number of parallel requests
    # Seconds to wait for a connection and for each part of an answer. A whole answer may take three
    # times as long.
    timeout: float = 20.0
    attempts: int = 6  # the number of attempts per request
    backoff: float = 0.5  # seconds before the second attempt; doubled for each further one
    patience: float = 600.0  # seconds for which all requests may be refused until the command ends


@dataclasses.dataclass(frozen=True)
class RetrieveOptions:
    """What to retrieve, and how."""

    movielens: Path  # the MovieLens folder
    # The data folder, which is created if necessary. It may be `movielens`, or a folder that an
    # earlier run has left unfinished.
    out: Path
    # Returns the key for TMDB; called if there is something to ask.
    find_credential: Callable[[], Credential]
    links: Path | None = None  # a file that replaces the links.csv of `movielens`
    api_url: str = "https://api.themoviedb.org/3"  # the address of the API, without a final slash
    poster_size: str = "w185"  # one of the sizes that TMDB offers
    policy: RequestPolicy = dataclasses.field(default_factory=RequestPolicy)
    # The number of consecutive failures of a host after which the command stops.
    give_up_after: int = 50
    limit: int | None = None  # retrieve only this many movies, the first ones
    ask_again: bool = False  # ask again for what TMDB did not have
    quiet: bool = False  # show no progress
