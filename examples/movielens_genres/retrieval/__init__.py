"""Release dates, languages and posters from TMDB, for the movies of MovieLens."""

from ._answers import is_safe
from ._key import Credential, read_credential
from ._options import RequestPolicy, RetrieveOptions
from ._retrieve import retrieve

__all__ = [
    "Credential",
    "RequestPolicy",
    "RetrieveOptions",
    "is_safe",
    "read_credential",
    "retrieve",
]
