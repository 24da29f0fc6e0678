"""Release dates, languages and posters from TMDB, for the movies of MovieLens."""

from ._answers import is_safe
from ._client import Manners
from ._key import Credential, read_credential
from ._retrieve import Settings, retrieve

__all__ = ["Credential", "Manners", "Settings", "is_safe", "read_credential", "retrieve"]
