"""The filters of movies and tags."""

import dataclasses

ALL_LANGUAGES = "all"
# Which tags are dropped because they reveal a genre; each rule includes the one before it.
GENRE_TAG_RULES = ("none", "exact", "within")
TAG_SOURCES = ("user", "genome")


@dataclasses.dataclass(frozen=True)
class Filters:
    """Filters of movies and tags; the defaults are the study's."""

    min_year: int = 1995  # first release year
    language: str = "en"  # original language, or "all"
    # Smallest share of all genre occurrences for a genre to be kept, in 0..1.
    min_genre_share: float = 0.05
    min_tag_users: int = 2  # number of users who must have given a tag to a movie
    # Drop tags that are the name of a genre ("exact"), also tags that contain one ("within"), or
    # "none".
    drop_genre_tags: str = "exact"
    # User-generated tags ("user"), or the relevances of about 1,100 tags ("genome").
    tags: str = "user"
    # With the tag genome: a movie has the tags of at least this relevance, in 0..1. None: the
    # relevances themselves are the input.
    min_relevance: float | None = None
