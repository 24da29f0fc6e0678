"""Normalised tags, without tags that reveal a genre."""

import dataclasses
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from ._filters import Filters

GENRE_TAG_COLUMNS = ["tag", "genre", "how", "movies", "precision", "prevalence", "dropped"]


@dataclasses.dataclass(frozen=True)
class MovieTags:
    """The tags of each movie."""

    tags: dict[int, list[str]]  # the sorted tags of each movie that has any
    steps: pd.DataFrame  # rows, distinct tags and movies after each filter
    # Tags that name a genre, the most frequent first: tag, genre (the first one, if it names
    # several), how ("exact" or "within"), movies, precision (the share of these movies that have
    # the genre), prevalence (the share of all movies that have it) and dropped.
    genre_tags: pd.DataFrame


def normalize_tag(tag: str) -> str:
    """Return a tag in lower case, without punctuation, and with single blanks.

    Examples
    --------
    >>> normalize_tag(" Sci-Fi,  80's ")
    'scifi 80s'
    """
    text = unicodedata.normalize("NFKC", tag).casefold()
    return " ".join("".join(c for c in text if c.isalnum() or c.isspace()).split())


def find_genre(tag: str, names: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the genre that a normalised tag names, and how it names it, or None.

    The match is ``"exact"`` if the tag and the name differ at most in blanks. It is ``"within"``
    if consecutive words of the tag are a name or its plural. Parts of words do not count:
    "software" does not name the genre War.

    Examples
    --------
    >>> names = genre_names(["Comedy", "Sci-Fi", "War"])
    >>> find_genre("sci fi", names), find_genre("romantic comedies", names)
    (('Sci-Fi', 'exact'), ('Comedy', 'within'))
    >>> find_genre("software", names)
    """
    words = tag.split()
    whole = "".join(words)
    if whole in names:
        return names[whole], "exact"
    for start in range(len(words)):
        run = ""
        for word in words[start:]:
            run += word
            for name in _singulars(run):
                if name in names:
                    return names[name], "within"
    return None


def genre_names(genres: Iterable[str]) -> dict[str, str]:
    """Return genres by their normalised names without blanks."""
    return {normalize_tag(genre).replace(" ", ""): genre for genre in genres}


def _singulars(word: str) -> list[str]:
    forms = [word]
    if word.endswith("ies"):
        forms.append(word[:-3] + "y")
    if word.endswith("s"):
        forms.append(word[:-1])
    return forms


def collect_tags(
    tags: pd.DataFrame,
    genres: Mapping[int, Sequence[str]],
    names: Mapping[str, str],
    filters: Filters,
) -> MovieTags:
    """Return the tags that enough users gave to a movie and that do not reveal a genre."""
    steps = {"in the data": tags}
    tags = tags[tags["movieId"].isin(list(genres))]
    steps["of a movie that is left"] = tags
    # Each spelling is normalised once, however often it occurs.
    codes, spellings = pd.factorize(tags["tag"])
    normalized = np.array([normalize_tag(tag) for tag in spellings], dtype=object)
    tags = tags.assign(tag=normalized[codes] if len(tags) else tags["tag"])
    tags = tags[tags["tag"] != ""]
    steps["with a letter or digit"] = tags
    pairs = tags.drop_duplicates().groupby(["movieId", "tag"], sort=False).size()
    pairs = pairs[pairs >= filters.min_tag_users].reset_index()[["movieId", "tag"]]
    steps[f"given to the movie by {filters.min_tag_users} user(s), counted once"] = pairs
    return sift_tags(pairs, genres, names, filters.drop_genre_tags, steps)


def sift_tags(
    pairs: pd.DataFrame,
    genres: Mapping[int, Sequence[str]],
    names: Mapping[str, str],
    rule: str,
    steps: Mapping[str, pd.DataFrame],
) -> MovieTags:
    """Return the tags that the rule keeps."""
    naming = _count_genre_tags(pairs, genres, names, rule)
    if rule != "none":
        pairs = pairs[~pairs["tag"].isin(naming["tag"][naming["dropped"]])]
        what = "that is not a genre" if rule == "exact" else "that contains no genre"
        steps = {**steps, what: pairs}
    kept = pairs.sort_values(["movieId", "tag"])
    return MovieTags(
        tags={int(movie): list(group) for movie, group in kept.groupby("movieId")["tag"]},
        steps=pd.DataFrame(
            {
                step: [len(rows), rows["tag"].nunique(), rows["movieId"].nunique()]
                for step, rows in steps.items()
            },
            index=["rows", "distinct", "movies"],
        ).T.rename_axis("tag"),
        genre_tags=naming,
    )


def _count_genre_tags(
    pairs: pd.DataFrame,
    genres: Mapping[int, Sequence[str]],
    names: Mapping[str, str],
    rule: str,
) -> pd.DataFrame:
    """Return the tags that name a genre, with how often they are right."""
    has = {movie: frozenset(movie_genres) for movie, movie_genres in genres.items()}
    shares = {
        genre: sum(genre in movie_genres for movie_genres in has.values()) / max(len(has), 1)
        for genre in names.values()
    }
    found = {tag: match for tag in pairs["tag"].unique() if (match := find_genre(tag, names))}
    rows = []
    for tag, movies in pairs[pairs["tag"].isin(list(found))].groupby("tag")["movieId"]:
        genre, how = found[tag]
        right = sum(genre in has[movie] for movie in movies) / len(movies)
        rows.append((tag, genre, how, len(movies), right, shares[genre], drops(rule, how)))
    return pd.DataFrame(rows, columns=GENRE_TAG_COLUMNS).sort_values(
        ["movies", "tag"], ascending=[False, True], ignore_index=True
    )


def drops(rule: str, how: str) -> bool:
    """Return whether the rule drops a tag that names a genre in this way."""
    return rule == "within" or rule == how
