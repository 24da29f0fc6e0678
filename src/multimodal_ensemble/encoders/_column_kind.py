"""What a column holds, and how many of its values describe that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from multimodal_ensemble.encoders._encoder import Encoder

Value = TypeVar("Value")
# The kind of a column rarely depends on more values than these.
_N_INSPECTED = 1000


@dataclass(frozen=True)
class ColumnKind:
    """What a column holds, or why it is left out; the encoder, if any, and its options."""

    description: str
    encoder: type[Encoder] | None = None
    options: dict[str, Any] = field(default_factory=dict)
    # Whether a row may hold several tags, of which some occur together more often than others.
    is_tags: bool = False
    # The name of the encoder of all columns of this kind, if one encoder reads them.
    joint_name: str | None = None
    # Whether rows are sentences or titles, from which a language model reads more than words.
    is_text: bool = False
    # What is particular to this column among others that the same encoder reads.
    note: str = ""
    # Positions of values that count as missing, among those that are not missing.
    faulty: tuple[int, ...] = ()
    # What web addresses are if they may be fetched.
    if_fetched: ColumnKind | None = None
    # What a warning says if the column is left out, which was hardly meant.
    warning: str = ""


def sample(values: Sequence[Value]) -> Sequence[Value]:
    """Return at most 1,000 values at equal distances."""
    return values[:: max(1, -(-len(values) // _N_INSPECTED))]
