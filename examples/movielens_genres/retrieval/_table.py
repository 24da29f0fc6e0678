"""The tables in the data folder, and the summary at the end of the command."""

import csv
import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TextIO

import pandas as pd

from .._files import replacing_text, write_csv
from ..data import FINDINGS_FILE, MOVIES_FILE, TAGS_FILE, make_printable
from ._journal import Journal
from ._movies import NOT_ASKED, Movie, Question, look_up

MISSING_FILE = "missing.csv"
COLUMNS = ["movieId", "title", "genres", "tmdbId", "release_year", "language", "poster_file"]
_N_EXAMPLES = 3


@dataclasses.dataclass
class Summary:
    """The number of movies with a poster, and the reasons for each gap."""

    movies: int = 0
    with_poster: int = 0
    unanswered: int = 0
    counts: Counter[str] = dataclasses.field(default_factory=Counter)
    examples: dict[str, list[str]] = dataclasses.field(default_factory=dict)

    def add(self, movie: Movie, reasons: Iterable[str]) -> None:
        """Count one movie with gaps."""
        for reason in reasons:
            self.counts[reason] += 1
            examples = self.examples.setdefault(reason, [])
            if len(examples) < _N_EXAMPLES:
                examples.append(f"{movie.movie_id} {make_printable(movie.title)}")

    def lines(self) -> list[str]:
        """Return the lines of a table."""
        rows = [("movies", self.movies, ""), ("with poster", self.with_poster, "")]
        for reason, count in self.counts.most_common():
            more = "; …" if count > _N_EXAMPLES else ""
            rows.append((reason, count, "; ".join(self.examples[reason]) + more))
        width = max(len(row[0]) for row in rows)
        return [f"{name:<{width}}  {count:>7,}  {text}".rstrip() for name, count, text in rows]


def write_tables(
    out: Path, movies: Iterable[Movie], journal: Journal, failures: Mapping[Question, str]
) -> Summary:
    """Write the table of movies and the list of gaps, row by row."""
    summary = Summary()
    with (
        replacing_text(out / MOVIES_FILE) as table_file,
        replacing_text(out / MISSING_FILE) as missing_file,
    ):
        table, missing = _writer(table_file), _writer(missing_file)
        table.writerow(COLUMNS)
        missing.writerow(["movieId", "title", "reason"])
        for movie in movies:
            known = look_up(movie, journal)
            details = known.details
            found = (
                (movie.tmdb_id, "", "")
                if details is None
                else (details.tmdb_id, details.release_year, details.language)
            )
            table.writerow([movie.movie_id, movie.title, movie.genres, *found, known.poster_file])
            no_poster = known.no_poster(failures)
            summary.movies += 1
            summary.with_poster += not no_poster
            summary.unanswered += known.question is not None
            if reasons := [reason for reason in (no_poster, *known.unknown()) if reason]:
                summary.add(movie, reasons)
                missing.writerow([movie.movie_id, movie.title, "; ".join(reasons)])
    return summary


def write_tags(out: Path, tags: pd.DataFrame) -> None:
    """Write the tags in the layout of MovieLens."""
    write_csv(out / TAGS_FILE, tags[["userId", "movieId", "tag"]])


def describe_reason(summary: Summary) -> str:
    """Return the numbers of movies that the next run will ask for, by reason."""
    not_asked = summary.counts[NOT_ASKED]
    return f"{summary.unanswered - not_asked} not answered, {not_asked} not asked yet"


def write_findings(out: Path, findings: pd.DataFrame) -> None:
    """Write the problems in the MovieLens files, which the written files no longer show."""
    path = out / FINDINGS_FILE
    if findings.empty:
        path.unlink(missing_ok=True)
        return
    write_csv(path, findings)


def _writer(file: TextIO) -> "csv._writer":
    return csv.writer(file, lineterminator="\n")
