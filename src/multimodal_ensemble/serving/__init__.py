"""An HTTP server for a fitted estimator, with a page for people.

`serve` answers requests until it is stopped. `make_app` returns the same as an ASGI application,
for other servers and for tests. Both need the extra ``multimodal-ensemble[serve]``.
"""

from multimodal_ensemble.serving._make_app import make_app
from multimodal_ensemble.serving._serve import serve
from multimodal_ensemble.serving._serving_limits import ServingLimits

__all__ = ["ServingLimits", "make_app", "serve"]
