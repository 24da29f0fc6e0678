"""What to retrieve, and how requests are made."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class RequestPolicy:
    """How requests are made.

    Parameters
    ----------
    rate : float
        Requests a second to the API; TMDB asks for no more than about 40. Its images have no such
        limit.
    connections : int
        Requests under way at the same time.
    timeout : float
        Seconds to wait for a connection and for each part of an answer. A whole answer may take
        three times as long.
    attempts : int
        How often something is asked until it counts as not answered.
    backoff : float
        Seconds before the second attempt, twice as many before the third, and so on.
    patience : float
        For how many seconds everything may be refused until one gives up.
    """

    rate: float = 40.0
    connections: int = 16
    timeout: float = 20.0
    attempts: int = 6
    backoff: float = 0.5
    patience: float = 600.0


@dataclasses.dataclass(frozen=True)
class Settings:
    """What to retrieve, and how.

    Parameters
    ----------
    api_url : str
        Address of the API, without a final slash.
    poster_size : str
        One of the sizes that TMDB offers.
    policy : RequestPolicy
        How requests are made.
    give_up_after : int
        How many questions in a row may get no answer from a host until all stops.
    limit : int, optional
        Retrieve only so many movies, the first ones.
    ask_again : bool
        Ask again for what TMDB did not have.
    quiet : bool
        Show no progress.
    """

    api_url: str = "https://api.themoviedb.org/3"
    poster_size: str = "w185"
    policy: RequestPolicy = dataclasses.field(default_factory=RequestPolicy)
    give_up_after: int = 50
    limit: int | None = None
    ask_again: bool = False
    quiet: bool = False
