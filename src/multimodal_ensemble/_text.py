"""Texts: characters that nobody sees, and metrics as they are written in a sentence."""

from __future__ import annotations

import re

# Soft hyphens, joiners of words, marks of direction, byte order marks and variation selectors only
# influence how text is drawn. Those that separate words, or join letters or emojis, stay.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u180b-\u180f\u200e\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff"
    "\U000e0100-\U000e01ef]"
)


def without_invisible(text: str) -> str:
    """Return text without the invisible characters that do not change its meaning."""
    return _INVISIBLE.sub("", text)


def metric_title(metric: str) -> str:
    """Return the name of a metric as it is written in a sentence, such as "mean ROC-AUC"."""
    return metric.replace("_", " ").replace("roc auc", "ROC-AUC").replace("f1", "F1")
