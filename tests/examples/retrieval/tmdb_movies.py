"""Invented movies and drawn posters, as in MovieLens and in TMDB's answers.

All are functions of numbers, so that any process can compute the right answer.
"""

import csv
import functools
import hashlib
import io
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

SIZES = ("w92", "w154", "w185", "w342", "w500", "w780", "original")
_STEP = 3  # from a movie's id to the next one's
# The first movies in each cycle of CYCLE movies; the others are plain.
CYCLE = 60
KINDS = (
    "no tmdb id",
    "moved",  # TMDB has it under another id
    "gone",  # neither details nor find has it
    "unknown",  # no tmdb id, and find does not have the imdb id
    "no ids",
    "no poster",
    "no date",
    "twin",  # has the tmdb id of the movie after it
    "original",
    "lost poster",  # the image server has no such file
)


@dataclass(frozen=True)
class Movie:
    """A movie of MovieLens, and TMDB's data about it."""

    movie_id: int
    kind: str
    title: str
    genres: str
    imdb_id: str  # as in links.csv: digits only
    tmdb_id: int | None  # as in links.csv
    true_id: int | None  # TMDB's own; None if TMDB does not know the movie
    release_date: str = ""
    language: str = ""
    poster_path: str | None = None

    @property
    def details(self) -> str:
        return f"/3/movie/{self.tmdb_id}"

    @property
    def find(self) -> str:
        return f"/3/find/tt{self.imdb_id}"

    def poster(self, size: str = "w185") -> str:
        return f"/t/p/{size}{self.poster_path}"

    def file(self, size: str = "w185") -> str:
        return f"posters{self.poster_path.removesuffix('.jpg')}-{size}.jpg"


def make_movies(n_movies: int) -> list[Movie]:
    """Return invented movies: each of ten special kinds once in every sixty."""
    return [_make_movie(number) for number in range(n_movies)]


def _make_movie(number: int) -> Movie:
    place = number % CYCLE
    kind = KINDS[place] if place < len(KINDS) else "plain"
    number_of_twin = number + 1 if kind == "twin" else number
    tmdb_id = 500 + 7 * number_of_twin
    is_known = kind not in ("gone", "unknown", "no ids")
    name = hashlib.sha256(str(tmdb_id).encode()).hexdigest()[:27]
    date = f"{1960 + number_of_twin % 60}-03-{1 + number_of_twin % 28:02d}"
    return Movie(
        movie_id=_STEP * number + 1,
        kind=kind,
        title=f'Part {number}, or the "Café" ({date[:4]})',
        genres=("Drama", "Comedy|Crime", "(no genres listed)")[number % 3],
        # IMDb's ids have seven digits, with leading zeros, or eight.
        imdb_id="" if kind == "no ids" else f"{number + (11_000_000 if place == 3 else 12):07d}",
        tmdb_id=None if kind in ("no tmdb id", "unknown", "no ids") else tmdb_id,
        true_id=(tmdb_id + (1 if kind == "moved" else 0)) if is_known else None,
        release_date=date if is_known and kind != "no date" else "",
        language=("en", "fr", "cn")[tmdb_id % 3] if is_known else "",
        poster_path=f"/{name}.jpg" if is_known and kind != "no poster" else None,
    )


def expected_row(movie: Movie, size: str = "w185") -> dict[str, str]:
    """Return the row of the finished table, with all values as text."""
    is_kept = movie.poster_path is not None and movie.kind != "lost poster"
    known_id = movie.tmdb_id if movie.true_id is None else movie.true_id
    return {
        "movieId": str(movie.movie_id),
        "title": movie.title,
        "genres": movie.genres,
        "tmdbId": "" if known_id is None else str(known_id),
        "release_year": movie.release_date[:4],
        "language": movie.language,
        "poster_file": movie.file(size) if is_kept else "",
    }


def needed_paths(movies: Sequence[Movie], size: str = "w185") -> set[str]:
    """Return the paths that must be asked, once each."""
    details = {movie.details for movie in movies if movie.tmdb_id is not None}
    # These movies have no details, or no id to ask for them.
    by_find = [m for m in movies if m.imdb_id and (m.tmdb_id is None or m.tmdb_id != m.true_id)]
    posters = {movie.poster(size) for movie in movies if movie.poster_path is not None}
    return {"/3/configuration"} | details | {movie.find for movie in by_find} | posters


def write_movielens(folder: Path, movies: Sequence[Movie]) -> None:
    """Write movies.csv, links.csv and a tags.csv of one row."""
    folder.mkdir(parents=True, exist_ok=True)
    tables = {
        "movies.csv": ["movieId,title,genres", *((m.movie_id, m.title, m.genres) for m in movies)],
        "links.csv": [
            "movieId,imdbId,tmdbId",
            *((m.movie_id, m.imdb_id, "" if m.tmdb_id is None else m.tmdb_id) for m in movies),
        ],
        "tags.csv": ["userId,movieId,tag,timestamp", (1, movies[0].movie_id, "NA", 1_400_000_000)],
    }
    for name, (header, *rows) in tables.items():
        with (folder / name).open("w", newline="", encoding="utf-8") as file:
            file.write(f"{header}\n")
            csv.writer(file, lineterminator="\n").writerows(rows)


def draw_poster(path: str) -> bytes:
    """Return the JPEG at a path of the image server; no two paths have the same bytes."""
    base = _draw_base(zlib.crc32(path.encode()) % 5)
    # A comment segment follows the marker that starts the image.
    return base[:2] + b"\xff\xfe" + struct.pack(">H", len(path) + 2) + path.encode() + base[2:]


@functools.cache
def _draw_base(seed: int) -> bytes:
    rng = np.random.default_rng(seed)
    shapes = Image.fromarray(rng.integers(0, 256, (6, 4, 3)).astype(np.uint8))
    pixels = np.asarray(shapes.resize((185, 278)), dtype=int) + rng.integers(-9, 10, (278, 185, 3))
    file = io.BytesIO()
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(file, "JPEG", quality=60)
    return file.getvalue()


def configuration_answer(root: str) -> dict[str, object]:
    return {
        "change_keys": ["adult", "images", "overview", "release_dates", "title"],
        "images": {
            "base_url": f"{root}/t/p/",
            "secure_base_url": f"{root}/t/p/",
            "backdrop_sizes": ["w300", "w780", "w1280", "original"],
            "logo_sizes": ["w45", "w92", "w154", "w185", "w300", "w500", "original"],
            "poster_sizes": list(SIZES),
            "profile_sizes": ["w45", "w185", "h632", "original"],
            "still_sizes": ["w92", "w185", "w300", "original"],
        },
    }


def _summary(movie: Movie) -> dict[str, object]:
    return {
        "adult": False,
        "backdrop_path": None,
        "id": movie.true_id,
        "original_language": movie.language,
        "original_title": movie.title,
        "overview": "Nothing of this ever happened.",
        "popularity": 1.5,
        "poster_path": movie.poster_path,
        "release_date": movie.release_date,
        "title": movie.title,
        "video": False,
        "vote_average": 5.5,
        "vote_count": 12,
    }


def details_answer(movie: Movie) -> dict[str, object]:
    return _summary(movie) | {
        "belongs_to_collection": None,
        "budget": 0,
        "genres": [{"id": 18, "name": "Drama"}],
        "homepage": "",
        "imdb_id": f"tt{movie.imdb_id}",
        "origin_country": ["US"],
        "production_companies": [],
        "production_countries": [],
        "revenue": 0,
        "runtime": 90,
        "spoken_languages": [],
        "status": "Released",
        "tagline": "",
    }


def find_answer(movie: Movie | None) -> dict[str, object]:
    results = (
        [] if movie is None else [_summary(movie) | {"media_type": "movie", "genre_ids": [18]}]
    )
    others = ("person_results", "tv_results", "tv_episode_results", "tv_season_results")
    return {"movie_results": results, **{name: [] for name in others}}
