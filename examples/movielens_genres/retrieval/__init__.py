"""Release dates, languages and posters from TMDB, for the movies of MovieLens."""

from ._answers import is_safe
from ._key import Credential, read_credential
from ._retrieve import retrieve
from ._settings import RequestPolicy, Settings

__all__ = ["Credential", "RequestPolicy", "Settings", "is_safe", "read_credential", "retrieve"]
