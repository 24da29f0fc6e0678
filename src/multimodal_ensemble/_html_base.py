"""What all HTML pages share: colours, the frame of a page, and the digest of a script."""

from __future__ import annotations

import base64
import hashlib

BASE_STYLE = """
:root { color-scheme: light dark; --page: #fff; --text: #1f2328; --soft: #59636e;
  --line: #d1d9e0; --band: #f4f6f8; --link: #0b57a8; }
@media (prefers-color-scheme: dark) { :root { --page: #16191d; --text: #e3e7eb; --soft: #9aa5b1;
  --line: #3a424b; --band: #20252b; --link: #8ab8f0; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text);
  font: 1rem/1.55 system-ui, sans-serif; }
main { max-width: 74rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.8rem; line-height: 1.25; overflow-wrap: anywhere; }
p { max-width: 46rem; }
a { color: var(--link); }
.scroll { max-width: 100%; overflow-x: auto; }
"""


def script_source(script: str) -> str:
    """Return the source of a content security policy that allows one script of a page."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return f"'sha256-{digest}'"
