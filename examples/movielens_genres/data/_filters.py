"""What is kept of the data."""

import dataclasses

ALL_LANGUAGES = "all"
# How far tags that give a genre away are dropped; each drops what the one before it drops, too.
GENRE_TAG_RULES = ("none", "exact", "within")
TAG_SOURCES = ("user", "genome")


@dataclasses.dataclass(frozen=True)
class Filters:
    """What is kept; the defaults are the study's.

    Parameters
    ----------
    min_year : int
        First release year.
    language : str
        Original language, or ``"all"``.
    min_genre_share : float
        Share of all genre occurrences that a kept genre has at least, in 0..1.
    min_tag_users : int
        Users that must have given a tag to a movie for it to count there.
    drop_genre_tags : {"exact", "within", "none"}
        Which tags give too much away: those that are a genre's name, those that have one among
        their words, or none.
    tags : {"user", "genome"}
        Tags that users typed, or the relevances that MovieLens computed of some thousand tags.
    min_relevance : float, optional
        With the tag genome: a movie has the tags of at least this relevance, in 0..1. Without it,
        each movie has the relevances themselves.
    """

    min_year: int = 1995
    language: str = "en"
    min_genre_share: float = 0.05
    min_tag_users: int = 2
    drop_genre_tags: str = "exact"
    tags: str = "user"
    min_relevance: float | None = None
