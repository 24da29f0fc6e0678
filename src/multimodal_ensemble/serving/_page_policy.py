"""What a browser may do with a page."""

from __future__ import annotations

import re

from multimodal_ensemble._html_base import script_source


def page_policy(page: str) -> str:
    """Return the content security policy of a page, which allows its own script and no other."""
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    sources = " ".join(map(script_source, scripts)) or "'none'"
    return (
        f"default-src 'none'; script-src {sources}; style-src 'unsafe-inline'; "
        "img-src blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
