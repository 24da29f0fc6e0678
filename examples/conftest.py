"""Which files of the examples are collected for doctests."""

from importlib.util import find_spec

# These modules import what only their own requirements.txt names.
collect_ignore = (
    []
    if all(find_spec(name) for name in ("requests", "tenacity", "tqdm"))
    else ["movielens_genres/retrieval"]
)
