"""Words and tags as Unicode text: equal ones are the same string, however they were typed."""

from __future__ import annotations

import re
import sys
import unicodedata
from functools import cache

from multimodal_ensemble._text import without_invisible

# Marks in front of "#", such as "/" in an address, make it no hash-tag.
_HASHTAGS = re.compile(r"(?<![\w/&])(?:#[^\s#,;:.!?()\[\]{}\"<>/|]+)+")


def compose(text: str) -> str:
    """Return text in Unicode's normal form C, in which "é" is always one character."""
    return unicodedata.normalize("NFC", text)


def fold(text: str) -> str:
    """Return text that is equal for all ways to write the same letters and digits.

    These are the normal forms, upper and lower case, full-width digits and ligatures. "İ", which
    is the upper case of "i" in Turkish, becomes "i".
    """
    visible = unicodedata.normalize("NFKC", without_invisible(text))
    return unicodedata.normalize("NFKC", visible.casefold().replace("i\u0307", "i"))


def find_words(text: str) -> list[str]:
    """Return the folded words of a text: runs of letters, digits and underscores.

    Marks, such as the vowel signs of Devanagari, belong to the letter in front of them. The
    invisible joiners between two letters, which Persian and Indian languages need, also belong to
    the word.
    """
    return _word_pattern().findall(fold(text))


def find_hashtags(text: str) -> list[str]:
    """Return the hash-tags of a text, composed and without "#"."""
    found = _HASHTAGS.findall(compose(without_invisible(text)))
    return [tag for run in found for tag in run.split("#") if tag]


@cache
def _word_pattern() -> re.Pattern[str]:
    # Unlike the Unicode standard, the module `re` does not count marks as parts of words.
    characters = map(chr, range(sys.maxunicode + 1))
    marks = "".join(char for char in characters if unicodedata.category(char).startswith("M"))
    more = rf"[{marks}]+\w*|[\u200c\u200d]+[\w{marks}]+"
    # Looking for ASCII first makes the search six times faster in most languages.
    return re.compile(rf"\w+(?:(?![\x00-\x7f])(?:{more}))*")
