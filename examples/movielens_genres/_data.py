"""From MovieLens files to one table a movie: poster file, tags, genres."""

import dataclasses
import unicodedata
from pathlib import Path

import pandas as pd
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import MultiLabelBinarizer

MOVIES_FILE = "extended_movie_data_with_local_files.csv"
TAGS_FILE = "tags.csv"
MOVIE_COLUMNS = ["movieId", "title", "genres", "release_year", "language", "poster_file"]
TAG_COLUMNS = ["userId", "movieId", "tag"]
NO_GENRE = "(no genres listed)"
# Of fewer, some tenth that is for validation holds next to nothing.
MIN_MOVIES = 40


class DataError(ValueError):
    """The data folder cannot be used; the message is one clear sentence."""


@dataclasses.dataclass(frozen=True)
class Filters:
    """What the study keeps; REFERENCE values are the defaults of the command line."""

    min_year: int = 1995
    language: str = "en"
    min_genre_share: float = 0.05
    min_tag_users: int = 2
    keep_genre_tags: bool = False


@dataclasses.dataclass(frozen=True)
class MovieData:
    """The prepared movies.

    Parameters
    ----------
    movies : DataFrame
        Columns ``movieId``, ``title``, ``poster_file``, ``tags`` (lists of normalised tags) and
        ``genres`` (lists of the kept genres); one row a movie, numbered from 0.
    genres : DataFrame of shape (n_movies, n_genres)
        Multi-hot, one column a kept genre.
    genre_tags : tuple of str
        Normalised names of all genres, kept or not: tags that would give the answer away.
    steps : DataFrame
        How many movies each filter left.
    genre_counts : DataFrame
        Count, share and fate of every genre before the genre filter.
    """

    movies: pd.DataFrame
    genres: pd.DataFrame
    genre_tags: tuple[str, ...]
    steps: pd.DataFrame
    genre_counts: pd.DataFrame


def prepare_movies(folder: Path, filters: Filters) -> MovieData:
    """Read a data folder and apply the study's filters, one after the other.

    Raises
    ------
    DataError
        If a file, a column or a poster is missing, or no movie is left.
    """
    movies = _read_csv(folder, MOVIES_FILE, MOVIE_COLUMNS)
    tags = _read_csv(folder, TAGS_FILE, TAG_COLUMNS)
    if repeated := movies["movieId"][movies["movieId"].duplicated()].tolist():
        msg = (
            f"{MOVIES_FILE} lists the movie {repeated[0]!r} more than once ({len(repeated)} such "
            "rows), and one of them could be trained on while another is tested; remove them."
        )
        raise DataError(msg)
    steps = {"in the data": len(movies)}
    movies = movies[movies["language"] == filters.language]
    steps[f"in the language {filters.language!r}"] = len(movies)
    years = pd.to_numeric(movies["release_year"], errors="coerce")
    movies = movies[years >= filters.min_year]
    steps[f"released in {filters.min_year} or later"] = len(movies)
    genre_lists = movies["genres"].map(lambda genres: [g for g in genres.split("|") if g])
    counts = count_genres(genre_lists, filters.min_genre_share)
    kept = sorted(counts.index[counts["kept"]])
    genre_lists = genre_lists.map(lambda genres: [genre for genre in genres if genre in kept])
    movies = movies.assign(genres=genre_lists)[genre_lists.map(len) > 0].reset_index(drop=True)
    steps[f"with one of the {len(kept)} genres kept"] = len(movies)
    if len(movies) < MIN_MOVIES:
        left = ", ".join(f"{count} {step}" for step, count in steps.items())
        msg = (
            f"Too few movies of {str(folder)!r} are left after the filters, at least {MIN_MOVIES} "
            f"are needed ({left})."
        )
        raise DataError(msg)
    _check_posters(folder, movies["poster_file"])
    genre_tags = tuple(sorted({normalize_tag(genre) for genre in counts.index}))
    movie_tags = collect_tags(
        tags, filters.min_tag_users, drop=() if filters.keep_genre_tags else genre_tags
    )
    movies["tags"] = [movie_tags.get(movie, []) for movie in movies["movieId"]]
    if not movies["tags"].map(len).any():
        msg = (
            f"No movie has a tag that {filters.min_tag_users} user(s) gave it; lower "
            "--min-tag-users."
        )
        raise DataError(msg)
    binarizer = MultiLabelBinarizer(classes=kept)
    genres = pd.DataFrame(binarizer.fit_transform(movies["genres"]), columns=kept)
    return MovieData(
        movies=movies[["movieId", "title", "poster_file", "tags", "genres"]],
        genres=genres,
        genre_tags=genre_tags,
        steps=pd.DataFrame({"movies": steps}).rename_axis("filter"),
        genre_counts=counts,
    )


def count_genres(genre_lists: pd.Series, min_share: float) -> pd.DataFrame:
    """Return how often each genre occurs, its share of all occurrences, and whether it is kept."""
    counts = genre_lists.explode().value_counts()
    share = counts / counts.sum()
    # "(no genres listed)" is an occurrence, as in the study, and never a genre to predict.
    kept = (share >= min_share) & (counts.index != NO_GENRE)
    return pd.DataFrame({"movies": counts, "share": share, "kept": kept}).rename_axis("genre")


def collect_tags(tags: pd.DataFrame, min_users: int, drop: tuple[str, ...]) -> dict[str, list[str]]:
    """Return the normalised tags of each movie that enough users gave it."""
    tags = tags.assign(tag=tags["tag"].map(normalize_tag))
    tags = tags[(tags["tag"] != "") & ~tags["tag"].isin(drop)]
    users = tags.groupby(["movieId", "tag"])["userId"].nunique()
    kept = users[users >= min_users].reset_index()
    return {movie: sorted(group) for movie, group in kept.groupby("movieId")["tag"]}


def normalize_tag(tag: str) -> str:
    """Return a tag in lower case, without punctuation, blanks made single: Sci-Fi is scifi.

    Examples
    --------
    >>> normalize_tag(" Sci-Fi,  80's ")
    'scifi 80s'
    """
    text = unicodedata.normalize("NFKC", tag).casefold()
    return " ".join("".join(c for c in text if c.isalnum() or c.isspace()).split())


def split_rows(n_rows: int, seed: int) -> tuple[list[int], list[int], list[int]]:
    """Return row numbers of training, validation and test movies, as the study split them.

    One tenth at random is for validation, then one tenth of the rest for the test.
    """
    rest, validation = train_test_split(range(n_rows), test_size=0.1, random_state=seed)
    train, test = train_test_split(rest, test_size=0.1, random_state=seed)
    return train, validation, test


def _read_csv(folder: Path, name: str, columns: list[str]) -> pd.DataFrame:
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        msg = f"The data folder {str(folder)!r} {what}."
        raise DataError(msg)
    path = folder / name
    if not path.is_file():
        msg = (
            f"The data folder {str(folder)!r} has no {name}; it must hold {MOVIES_FILE}, "
            f"{TAGS_FILE} and the posters that the former names."
        )
        raise DataError(msg)
    try:
        # Texts as they stand: a movie may be tagged "null" or "NA".
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        msg = f"{str(path)!r} is not a CSV file in UTF-8 ({error})."
        raise DataError(msg) from error
    missing = [column for column in columns if column not in table.columns]
    if missing:
        msg = f"{str(path)!r} lacks the column(s) {missing}; it has {list(table.columns)}."
        raise DataError(msg)
    return table


def _check_posters(folder: Path, files: pd.Series) -> None:
    missing = [file for file in files if not file or not (folder / file).is_file()]
    if missing:
        msg = (
            f"{len(missing)} of {len(files)} posters are missing in {str(folder)!r}, the first "
            f"is {missing[0]!r}; restore them, or remove these movies from {MOVIES_FILE}."
        )
        raise DataError(msg)
