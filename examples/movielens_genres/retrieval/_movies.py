"""What is known about a movie, and the next question about it."""

import dataclasses
from collections.abc import Iterator, Mapping

import pandas as pd

from ._answers import Details
from ._journal import Journal, Poster
from ._posters import POSTER_FOLDER

NO_LINK = "no link to TMDB or IMDb"
NOT_ON_TMDB = "not on TMDB"
NO_POSTER = "no poster on TMDB"
POSTER_GONE = "poster not found (404)"
NOT_ASKED = "not asked yet"
NO_YEAR = "no release date on TMDB"
NO_LANGUAGE = "no language on TMDB"


@dataclasses.dataclass(frozen=True, slots=True)
class Movie:
    """One movie of MovieLens, with its ids on TMDB and IMDb."""

    movie_id: int
    title: str
    genres: str
    imdb_id: str
    tmdb_id: str

    def lookups(self) -> Iterator["Question"]:
        """Yield the questions about its details; each is for when the one before finds nothing."""
        if self.tmdb_id:
            yield Question("movie", self.tmdb_id)
        # TMDB's ids change when two of its entries are merged; IMDb's rarely change.
        if self.imdb_id:
            yield Question("find", f"tt{self.imdb_id}")


@dataclasses.dataclass(frozen=True)
class Question:
    """A question to TMDB."""

    kind: str  # the kind of the answer: "configuration", "movie", "find", "poster"
    name: str = ""  # the id, or the path of the poster

    @property
    def key(self) -> str:
        """Return the name of the answer in the journal."""
        return f"{self.kind}/{self.name}"


@dataclasses.dataclass(frozen=True)
class Knowledge:
    """What the journal knows about a movie."""

    details: Details | None = None  # None if TMDB has none or was not asked yet
    poster: Poster | None = None  # None if TMDB has none or was not asked yet
    question: Question | None = None  # the next question; None if everything is known
    linked: bool = True  # whether the movie has an id on TMDB or IMDb

    @property
    def poster_file(self) -> str:
        """Return the path of the poster in the data folder, or an empty text."""
        return f"{POSTER_FOLDER}/{self.poster.file}" if self.poster and self.poster.file else ""

    def no_poster(self, failures: Mapping[Question, str]) -> str:
        """Return why there is no poster, or an empty text if there is one."""
        if self.poster_file:
            return ""
        if self.question is not None:
            reason = failures.get(self.question)
            return f"not answered: {reason}" if reason else NOT_ASKED
        if not self.linked:
            return NO_LINK
        if self.details is None:
            return NOT_ON_TMDB
        return POSTER_GONE if self.details.poster_path else NO_POSTER

    def unknown(self) -> list[str]:
        """Return the details, other than the poster, that TMDB does not know."""
        if self.details is None:
            return []
        both = {NO_YEAR: self.details.release_year, NO_LANGUAGE: self.details.language}
        return [reason for reason, value in both.items() if not value]


def list_movies(movies: pd.DataFrame, links: pd.DataFrame) -> list[Movie]:
    """Return the movies of two tables with the same rows."""
    columns = [movies[name] for name in ("movieId", "title", "genres")]
    columns += [links[name] for name in ("imdbId", "tmdbId")]
    return [Movie(int(row[0]), *row[1:]) for row in zip(*columns, strict=True)]


def look_up(movie: Movie, journal: Journal) -> Knowledge:
    """Return what the journal knows about a movie."""
    linked = False
    for question in movie.lookups():
        linked = True
        answer = journal.answer(question.key)
        if answer is None:
            return Knowledge(question=question)
        if (details := answer[0]) is None:
            continue
        if not details.poster_path:
            return Knowledge(details)
        poster = journal.poster(details.poster_path)
        return Knowledge(
            details, poster, None if poster else Question("poster", details.poster_path)
        )
    return Knowledge(linked=linked)
