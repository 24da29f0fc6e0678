"""From MovieLens files to the training table, without TensorFlow."""

from ._describe import describe_data
from ._filters import ALL_LANGUAGES, GENRE_TAG_RULES, TAG_SOURCES, Filters
from ._findings import Findings, make_printable
from ._folder import (
    FINDINGS_FILE,
    MANIFEST_FILE,
    MOVIES_FILE,
    TAGS_FILE,
    DataFolder,
    is_prepared,
    read_folder,
)
from ._manifest import (
    FORMATS,
    check_posters,
    load_table,
    make_manifest,
    read_modalities,
    save_table,
)
from ._movie import COLUMNS_BY_OPTION, make_movie
from ._movielens import NO_GENRE, MovieLens, read_movielens
from ._prepare import MODALITIES, MovieData, check_enough, prepare_movies, split_genres
from ._source import Movies, Source, load_movies, prepare_source
from ._tags import normalize_tag

__all__ = [
    "ALL_LANGUAGES",
    "COLUMNS_BY_OPTION",
    "FINDINGS_FILE",
    "FORMATS",
    "GENRE_TAG_RULES",
    "MANIFEST_FILE",
    "MODALITIES",
    "MOVIES_FILE",
    "NO_GENRE",
    "TAGS_FILE",
    "TAG_SOURCES",
    "DataFolder",
    "Filters",
    "Findings",
    "MovieData",
    "MovieLens",
    "Movies",
    "Source",
    "check_enough",
    "check_posters",
    "describe_data",
    "is_prepared",
    "load_movies",
    "load_table",
    "make_manifest",
    "make_movie",
    "make_printable",
    "normalize_tag",
    "prepare_movies",
    "prepare_source",
    "read_folder",
    "read_modalities",
    "read_movielens",
    "save_table",
    "split_genres",
]
