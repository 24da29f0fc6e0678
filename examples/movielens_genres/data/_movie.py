"""One movie, given on the command line, as a row of the training table."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ._prepare import clean_title, split_title
from ._tags import normalize_tag

# The columns that a model may read, by the option that fills them.
COLUMNS_BY_OPTION = {
    "poster": ("poster_file",),
    "tags": ("tags",),
    "title": ("title_words", "title_text"),
    "year": ("year",),
    "language": ("language",),
}


def make_movie(given: Mapping[str, Any]) -> pd.DataFrame:
    """Return the columns of what is given, with one row.

    Examples
    --------
    >>> make_movie({"tags": "Sci-Fi, space opera", "title": "Heat (1995)"}).iloc[0].to_dict()
    {'tags': ['scifi', 'space opera'], 'title_words': ['heat'], 'title_text': 'Heat'}
    """
    columns: dict[str, Any] = {}
    for option, value in given.items():
        match option:
            case "poster":
                columns["poster_file"] = str(Path(value).absolute())
            case "tags":
                tags = [normalize_tag(tag) for tag in value.split(",")]
                columns["tags"] = sorted({tag for tag in tags if tag})
            case "title":
                columns |= {"title_words": split_title(value), "title_text": clean_title(value)}
            case _:
                columns[option] = value
    return pd.DataFrame({name: [value] for name, value in columns.items()})
