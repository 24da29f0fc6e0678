"""An invented MovieLens, drawn by code from a seed; everything in it is synthetic.

No movie, person, tag or poster here exists. `write_sample` writes the layout of the real data: the
CSV files of ``ml-20m``, the table of movies and a folder of posters. The example reads it with the
same code, and every filter has something to drop. The relations between genres, tags and posters
are invented as well. Tags cannot distinguish Comedy from Romance or Action from Crime, posters
cannot distinguish Thriller from Horror or Drama from Romance (see `_posters`), and some of both are
uninformative. Scores show that the pipeline works, and say nothing about real movies.
"""

import csv
import dataclasses
import pathlib
from collections.abc import Iterable, Sequence

import numpy as np

from ._posters import draw_poster, pick

# Movies by genre combination, in relative numbers that follow the study's counts. Horror and Crime
# get more than in the study, so that all eight genres are clearly above the 5 % filter.
COMBINATIONS = {
    "Drama": 17.0,
    "Documentary": 14.5,
    "Comedy": 10.5,
    "Comedy|Drama": 6.0,
    "Drama|Romance": 5.5,
    "Comedy|Romance": 5.0,
    "Horror|Thriller": 5.0,
    "Horror": 4.0,
    "Action|Thriller": 4.0,
    "Crime|Drama": 3.5,
    "Drama|Thriller": 3.5,
    "Comedy|Drama|Romance": 3.0,
    "Action|Crime|Thriller": 3.0,
    "Action": 2.5,
    "Action|Comedy": 2.5,
    "Action|Drama": 2.5,
    "Crime|Drama|Thriller": 2.5,
    "Thriller": 2.0,
    "Comedy|Horror": 1.5,
    "Crime|Thriller": 1.5,
    "Comedy|Crime": 1.5,
    "Drama|Horror|Thriller": 1.0,
    "Documentary|Drama": 1.0,
    "Adventure|Children|Animation": 1.2,
    "Adventure|Fantasy": 0.8,
    "(no genres listed)": 0.8,
    "Sci-Fi": 0.6,
    "Western": 0.4,
    "Comedy|Documentary": 0.5,
}
# Genres that sometimes join others; each stays far below 5 % of all occurrences.
COMPANIONS = {
    "Action": ("Adventure", "Sci-Fi", "IMAX"),
    "Comedy": ("Children", "Fantasy", "Animation", "Musical"),
    "Crime": ("Film-Noir", "Mystery"),
    "Documentary": ("IMAX", "War", "Musical"),
    "Drama": ("War", "Mystery", "Western", "Fantasy"),
    "Horror": ("Sci-Fi", "Fantasy"),
    "Thriller": ("Mystery", "Sci-Fi"),
}

_LIGHT_HEARTED = (
    "Feel-Good", "wedding", "quirky", "charming", "meet-cute", "witty", "chemistry", "first date",
    "mix-ups", "New Year's Eve",
)  # fmt: skip
_GUNS_DRAWN = (
    "heist", "car chase", "shoot-out", "undercover", "gangs", "revenge", "one last job", "stunts",
    "double-cross", "getaway",
)  # fmt: skip
GENRE_TAGS = {
    "Comedy": _LIGHT_HEARTED,
    "Romance": _LIGHT_HEARTED,
    "Action": _GUNS_DRAWN,
    "Crime": _GUNS_DRAWN,
    "Drama": (
        "tear-jerker", "moving", "grief", "coming-of-age", "character study", "family ties",
        "small town", "illness", "fathers, sons", "quiet",
    ),
    "Documentary": (
        "interviews", "archive footage", "true story", "eye-opening", "narrator", "politics",
        "nature", "science", "talking heads", "José's journey",
    ),
    "Thriller": (
        "twist ending", "suspense", "conspiracy", "cat-and-mouse", "paranoia", "stalker",
        "unreliable narrator", "hostage", "red herring", "who's lying?",
    ),
    "Horror": (
        "haunted house", "gory", "zombies", "creepy", "jump-scares", "slasher", "demons", "cursed",
        "don't go in there!", "final girl",
    ),
}  # fmt: skip
NEUTRAL_TAGS = (
    "atmospheric", "based on a book", "beautifully shot", "great soundtrack", "remake", "sequel",
    "cliché", "déjà vu", "überrated", "mise-en-scène", "long, but worth it", 'so-called "classic"',
    "must see!", "library", "DVD", "ensemble cast", "directorial debut", "set in Malmö",
    "non-linear", "black-and-white", "low budget", "predictable", "overlooked", "rainy day",
)  # fmt: skip
SPOKEN_GENRES = ("Comedy", "drama", "Horror", "Sci-Fi", "sci fi", "ROMANCE", "thriller!", "Action")

_FIRST_NAMES = (
    "Mara", "Ilse", "Tobin", "Anaïs", "Corwin", "Petra", "Lucho", "Wren", "Odell", "Søren", "Bea",
    "Dashiell", "Noor", "Ffion", "Galt", "Hesper", "Ivo", "Juno", "Kester", "Linnea", "Miro",
    "Nell", "Oskar", "Zoë",
)  # fmt: skip
_LAST_NAMES = (
    "Ellisand", "Vasq", "Thornby", "Okonjo", "Brandel", "Castellan", "Drewe", "Fenwright",
    "Groszek", "Halloran-Pike", "Ibarrez", "Jespersund", "Kowalchuk", "Lindqvarn", "Marchetti-Roe",
    "Núñalba", "O'Tierney", "Pellam", "Quill", "Rothmere", "Szabolcsi", "Tanaquil", "Undset-Cole",
    "Wexcombe",
)  # fmt: skip
_ADJECTIVES = (
    "Copper", "Silent", "Borrowed", "Paper", "Hollow", "Northern", "Electric", "Velvet", "Crooked",
    "Second", "Painted", "Distant", "Restless", "Gilded", "Broken", "Seventh", "Salted", "Winter",
    "Vanishing", "Burning", "Ordinary", "Naïve", "Scarlet", "Wandering", "Unwritten", "Last", "Tin",
    "Midnight", "Forgotten", "Glass",
)  # fmt: skip
_NOUNS = (
    "Harbour", "Orchard", "Station", "Letter", "Lantern", "Meridian", "Parade", "Café", "Compass",
    "Garden", "Sparrow", "Bridge", "Season", "Mirror", "Ledger", "Island", "Promise", "Choir",
    "Shadow", "Market", "River", "Almanac", "Engine", "Hotel", "Ballad", "Tide", "Fiancé", "Window",
    "Kingdom", "Hour", "Ferry", "Map", "Verdict", "Signal",
)  # fmt: skip
_TITLE_FORMS = (
    "{0} {1}, The", "{0} {1}, The", "{0} {1}", "{0} {1} of Malmö", '"{0}" {1}',
    'Mr. "{0}" and the {1}', "{0}, {1} & Son", "Zoë's {0} {1}",
)  # fmt: skip
_FOREIGN_TITLES = {
    "fr": "Nuit d'été, La",
    "de": "Über den Dächern",
    "es": "Mañana será otro",
    "ja": "Yoru no Umi",
    "sv": "Sju små öar",
}

# The largest number of telling tags, and the shares of misleading tags and of untagged movies.
_MAX_GENRE_TAGS = 5
_MISLEADING_TAGS = 0.3
_UNTAGGED_MOVIES = 0.06
_N_USERS = 400


@dataclasses.dataclass(frozen=True)
class _Movie:
    """One invented movie: a row of the table of movies and of ``links.csv``."""

    movie_id: int
    title: str
    genres: tuple[str, ...]
    tmdb_id: str
    year: int
    language: str

    @property
    def poster_file(self) -> str:
        return f"posters/{self.movie_id}.jpg"


def write_sample(folder: pathlib.Path, *, seed: int = 1, n_movies: int = 950) -> None:
    """Write an invented MovieLens into a folder.

    The same seed and number of movies produce the same CSV files and posters.

    Raises
    ------
    FileExistsError
        If `folder` is not empty.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        msg = f"The sample needs an empty folder. Received: {folder}"
        raise FileExistsError(msg)
    rng = np.random.default_rng(seed)
    movies = _draw_movies(rng, n_movies)
    _write_tables(folder, movies)
    _write_csv(folder / "tags.csv", "userId,movieId,tag,timestamp", _draw_tags(rng, movies))
    (folder / "posters").mkdir()
    for movie in movies:
        # Each poster has its own random stream, so a change to one motif affects no other poster.
        poster_rng = np.random.default_rng([seed, movie.movie_id])
        poster = draw_poster(poster_rng, movie.title, movie.genres)
        poster.save(folder / movie.poster_file, quality=85)


def _draw_movies(rng: np.random.Generator, n_movies: int) -> list[_Movie]:
    """Draw the movies; about two thirds are English and from 1995 or later."""
    n_foreign = round(0.17 * n_movies)
    n_old = round(0.17 * n_movies)
    # Genres are dealt by group, so that their shares after the filters hardly depend on the seed.
    genre_sets = [
        genres
        for size in (n_foreign, n_old, n_movies - n_foreign - n_old)
        for genres in _deal_genres(rng, size)
    ]
    movie_ids = np.cumsum(rng.integers(1, 4, size=n_movies))
    pairs = rng.choice(len(_ADJECTIVES) * len(_NOUNS), size=n_movies, replace=False)
    movies = []
    for movie_id, pair, index in zip(movie_ids, pairs, rng.permutation(n_movies), strict=True):
        foreign, old = index < n_foreign, n_foreign <= index < n_foreign + n_old
        year = int(rng.integers(1950, 1995) if old else rng.integers(1995, 2016))
        language = str(rng.choice(list(_FOREIGN_TITLES))) if foreign else "en"
        form = _TITLE_FORMS[rng.integers(len(_TITLE_FORMS))]
        title = form.format(_ADJECTIVES[pair // len(_NOUNS)], _NOUNS[pair % len(_NOUNS)])
        if foreign:
            title += f" ({_FOREIGN_TITLES[language]})"
        movies.append(
            _Movie(
                movie_id=int(movie_id),
                title=f"{title} ({year})",
                genres=genre_sets[index],
                # The ids are beyond those of real movies; some are empty, as in the real table.
                tmdb_id="" if rng.random() < 0.02 else str(900_000_000 + movie_id),
                year=year,
                language=language,
            )
        )
    return movies


def _deal_genres(rng: np.random.Generator, n_movies: int) -> list[tuple[str, ...]]:
    """Deal genre combinations by quota, in random order, and add rare companions."""
    weights = np.array(list(COMBINATIONS.values()))
    quotas = n_movies * weights / weights.sum()
    counts = np.floor(quotas).astype(int)
    counts[np.argsort(counts - quotas, kind="stable")[: n_movies - counts.sum()]] += 1
    deck = np.repeat(list(COMBINATIONS), counts)
    return [_add_companion(rng, combination.split("|")) for combination in rng.permutation(deck)]


def _add_companion(rng: np.random.Generator, genres: list[str]) -> tuple[str, ...]:
    companions = COMPANIONS.get(genres[rng.integers(len(genres))], ())
    if companions and rng.random() < 0.2:
        genres = [*genres, companions[rng.integers(len(companions))]]
    return tuple(sorted(set(genres)))


def _write_tables(folder: pathlib.Path, movies: Iterable[_Movie]) -> None:
    """Write the three tables that have one row per movie."""
    plain, links, extended = [], [], []
    for movie in movies:
        row = (movie.movie_id, movie.title, "|".join(movie.genres))
        plain.append(row)
        links.append((movie.movie_id, f"{9_000_000 + movie.movie_id:07d}", movie.tmdb_id))
        extended.append((*row, movie.tmdb_id, movie.year, movie.language, movie.poster_file))
    _write_csv(folder / "movies.csv", "movieId,title,genres", plain)
    _write_csv(folder / "links.csv", "movieId,imdbId,tmdbId", links)
    _write_csv(
        folder / "extended_movie_data_with_local_files.csv",
        "movieId,title,genres,tmdbId,release_year,language,poster_file",
        extended,
    )


def _draw_tags(
    rng: np.random.Generator, movies: Iterable[_Movie]
) -> list[tuple[int, int, str, int]]:
    """Draw the rows of ``tags.csv``, in the order of users and movies."""
    rows = []
    for movie in movies:
        if rng.random() < _UNTAGGED_MOVIES:
            continue
        shared = dict.fromkeys([*_telling_tags(rng, movie.genres), *_neutral_tags(rng)])
        for tag in shared:
            users = rng.choice(_N_USERS, size=2 + rng.poisson(0.7), replace=False)
            rows += [(int(user) + 1, movie.movie_id, _respell(rng, tag)) for user in users]
        for tag in _single_user_tags(rng):
            user = int(rng.integers(_N_USERS)) + 1
            # One user gives the tag twice, so that counting rows instead of users would differ.
            rows += [(user, movie.movie_id, tag), (user, movie.movie_id, tag.upper())]
    rows = sorted(set(rows))
    times = rng.integers(1_136_073_600, 1_427_760_000, size=len(rows))
    return [(*row, int(time)) for row, time in zip(rows, times, strict=True)]


def _telling_tags(rng: np.random.Generator, genres: Sequence[str]) -> list[str]:
    """Draw tags that mostly follow a movie's genres; some are the name of a genre."""
    known = [genre for genre in genres if genre in GENRE_TAGS]
    tags = []
    for _ in range(rng.integers(_MAX_GENRE_TAGS + 1)):
        misleading = not known or rng.random() < _MISLEADING_TAGS
        vocabulary = GENRE_TAGS[pick(rng, list(GENRE_TAGS) if misleading else known)]
        tags.append(pick(rng, vocabulary))
    if rng.random() < 0.3:
        tags.append(pick(rng, [*genres, *SPOKEN_GENRES]))
    return tags


def _neutral_tags(rng: np.random.Generator) -> list[str]:
    """Draw uninformative tags: opinions, and names of invented people."""
    people = [f"{pick(rng, _FIRST_NAMES)} {pick(rng, _LAST_NAMES)}" for _ in range(rng.integers(4))]
    return people + [pick(rng, NEUTRAL_TAGS) for _ in range(rng.integers(4))]


def _single_user_tags(rng: np.random.Generator) -> list[str]:
    return [
        f"seen {pick(rng, ('with', 'without'))} {pick(rng, _FIRST_NAMES)}"
        for _ in range(rng.integers(3))
    ]


def _respell(rng: np.random.Generator, tag: str) -> str:
    """Spell a tag as another user would; normalisation undoes the differences."""
    return pick(rng, (tag, tag, tag.lower(), tag.capitalize(), f"{tag}!", tag.replace("-", "")))


def _write_csv(path: pathlib.Path, header: str, rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header.split(","))
        writer.writerows(rows)
