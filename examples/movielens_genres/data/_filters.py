"""The filters of movies and tags."""

import dataclasses

ALL_LANGUAGES = "all"
# Which tags are dropped because they reveal a genre; each rule includes the one before it.
GENRE_TAG_RULES = ("none", "exact", "within")
TAG_SOURCES = ("user", "genome")


@dataclasses.dataclass(frozen=True)
class Filters:
    """Filters of movies and tags; the defaults are the study's.

    Parameters
    ----------
    min_year : int
        First release year.
    language : str
        Original language, or ``"all"``.
    min_genre_share : float
        Smallest share of all genre occurrences for a genre to be kept, in 0..1.
    min_tag_users : int
        Number of users who must have given a tag to a movie.
    drop_genre_tags : {"exact", "within", "none"}
        Which tags are dropped because they reveal a genre: tags that are the name of a genre,
        tags that contain one among their words, or none.
    tags : {"user", "genome"}
        User-generated tags, or the relevances of about 1,100 tags that MovieLens computed.
    min_relevance : float, optional
        With the tag genome: a movie has the tags of at least this relevance, in 0..1. None: the
        relevances themselves are the input.
    """

    min_year: int = 1995
    language: str = "en"
    min_genre_share: float = 0.05
    min_tag_users: int = 2
    drop_genre_tags: str = "exact"
    tags: str = "user"
    min_relevance: float | None = None
