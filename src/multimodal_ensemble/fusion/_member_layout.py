"""Which features each member of a late fusion takes, and which members see the same."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any


@dataclasses.dataclass(frozen=True)
class MemberLayout:
    """One member of a late fusion.

    Parameters
    ----------
    name : str
        Name of the member.
    encoders : tuple of str
        Modalities whose features a linear model of the member takes, joined.
    radial : tuple of str, default=()
        Modalities whose radial features it takes as well.
    evidence : str or None, default=None
        What the member sees, such as the columns of its modalities. Members with the same evidence
        are averaged, and those with different evidence are added. None for a joint member, which
        sees the evidence of all others.
    is_scored : bool, default=False
        Whether the one encoder already returns a score for each label.

    Examples
    --------
    >>> from multimodal_ensemble.fusion import MemberLayout
    >>> MemberLayout("poster", ("poster",), evidence="poster_file").takes
    ('poster',)
    """

    name: str
    encoders: tuple[str, ...]
    radial: tuple[str, ...] = ()
    evidence: str | None = None
    is_scored: bool = False

    @property
    def takes(self) -> tuple[str, ...]:
        """All modalities that the member takes."""
        return tuple(dict.fromkeys((*self.encoders, *self.radial)))

    def presence(self, by_modality: dict[str, Any]) -> Any:
        """Return where a member has something to say.

        A joint member needs all of its modalities, because other members score the rest. Any other
        member needs one; those that a row lacks count as their mean.

        Parameters
        ----------
        by_modality : dict of str to array of shape (n, 1)
            1 where a row has a modality, else 0.

        Returns
        -------
        array of shape (n, 1)
            1 or 0.
        """
        presences = [by_modality[name] for name in self.takes]
        if self.evidence is None:
            return _product(presences)
        return 1 - _product([1 - presence for presence in presences])

    def get_config(self) -> dict[str, Any]:
        """Return the arguments as JSON values, with lists in place of tuples."""
        arguments = dataclasses.asdict(self)
        return {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in arguments.items()
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> MemberLayout:
        """Return a layout from what `get_config` returned."""
        arguments: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in config.items()
        }
        # Names in a damaged file may be anything.
        texts = {"name": arguments["name"], "evidence": arguments.get("evidence") or ""}
        if wrong := [key for key, value in texts.items() if not isinstance(value, str)]:
            msg = f"{wrong} of a member must be text. Received {config!r:.500}."
            raise ValueError(msg)
        return cls(**arguments)


def fuse_evidence(
    members: Sequence[MemberLayout], log_odds: Sequence[Any], presences: Sequence[Any]
) -> Any:
    """Return the evidence of all members for each label, for arrays and for Keras tensors.

    Parameters
    ----------
    members : sequence of MemberLayout
        The members.
    log_odds : sequence of arrays of shape (n, n_labels)
        Log-odds of each member, less those of the labels' shares.
    presences : sequence of arrays of shape (n, 1)
        1 where a member has something to say, else 0.

    Returns
    -------
    array of shape (n, n_labels)
        The members with the same evidence averaged, then added; with joint members, the mean of
        the sum and of these. 0 where no member has anything to say.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.fusion import MemberLayout, fuse_evidence
    >>> members = [MemberLayout("tags", ("tags",), evidence="tags"),
    ...            MemberLayout("poster", ("poster",), evidence="poster"),
    ...            MemberLayout("joint", ("tags", "poster"))]
    >>> log_odds = [np.array([[1.0]]), np.array([[2.0]]), np.array([[5.0]])]
    >>> fuse_evidence(members, log_odds, [np.ones((1, 1))] * 3).tolist()
    [[4.0]]
    """
    said = [odds * presence for odds, presence in zip(log_odds, presences, strict=True)]
    positions: dict[str | None, list[int]] = {}
    for position, member in enumerate(members):
        positions.setdefault(member.evidence, []).append(position)
    joint = positions.pop(None, [])
    total: Any = 0.0
    for same in positions.values():
        here = [presences[position] for position in same]
        # Nobody here: divide by 1.
        count = sum(here) + _product([1 - presence for presence in here])
        total = total + sum(said[position] for position in same) / count
    if not joint:
        return total
    # Without other members, the joint ones are all there is.
    others = 1.0 if positions else 0.0
    count = others + sum(presences[position] for position in joint)
    if not positions:
        count = count + _product([1 - presences[position] for position in joint])
    return (total + sum(said[position] for position in joint)) / count


def _product(factors: Sequence[Any]) -> Any:
    product = factors[0]
    for factor in factors[1:]:
        product = product * factor
    return product
