"""The shell of an HTML report: one file that loads nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from html import escape
from pathlib import Path

from multimodal_ensemble._html_base import script_source
from multimodal_ensemble.reporting._style import STYLE
from multimodal_ensemble.saving import replacing


def write_page(
    path: str | os.PathLike[str],
    title: str,
    sections: Mapping[str, str],
    *,
    language: str,
    lead: str = "",
    style: str = "",
    script: str = "",
) -> None:
    """Write sections, which are HTML by heading, to one file, completely or not at all.

    A page of several sections has a table of contents, after the HTML of `lead`. The texts of the
    title and of the headings are escaped here.
    """
    contents, bodies = [], []
    for number, (heading, body) in enumerate(sections.items(), start=1):
        contents.append(f"<li><a href='#section-{number}'>{escape(heading)}</a></li>")
        bodies.append(
            f"<section id='section-{number}'>\n<h2>{escape(heading)}</h2>\n{body}\n</section>"
        )
    navigation = ["<nav aria-label='Contents'><ol>", *contents, "</ol></nav>"]
    page = [
        f"<!DOCTYPE html>\n<html lang='{escape(language)}'>\n<head>\n<meta charset='utf-8'>",
        f"<meta http-equiv='Content-Security-Policy' content=\"{_policy(script)}\">",
        "<meta name='viewport' content='width=device-width, initial-scale=1'>",
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}{style}</style>",
        f"</head>\n<body>\n<main>\n<h1>{escape(title)}</h1>",
        *([lead] if lead else []),
        *(navigation if len(contents) > 1 else []),
        *bodies,
        "</main>",
        *([f"<script>{script}</script>"] if script else []),
        "</body>\n</html>",
    ]
    # UTF-8 cannot encode half of a surrogate pair; a character reference is written instead.
    with replacing(Path(path)) as file:
        file.write(("\n".join(page) + "\n").encode("utf-8", "xmlcharrefreplace"))


def _policy(script: str) -> str:
    """Return a second line of defence after escaping: nothing is loaded, no other script runs."""
    allowed = f"; script-src {script_source(script)}" if script else ""
    return f"default-src 'none'; img-src data:; style-src 'unsafe-inline'{allowed}"
