"""Where the features of each digest are, in about 24 bytes per digest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._freed_memory import return_freed_memory

# File name and row.
Place = tuple[str, int]

# The first half of a SHA-256 digest tells any two contents apart. Whoever reads features compares
# the whole digest.
_KEY_BYTES = 16
# Digests that wait in a dictionary before they are sorted.
_MAX_RECENT = 16_384
# Digests whose merging leaves megabytes of freed memory.
_MANY = 2**18


@dataclass(frozen=True, eq=False)
class _Run:
    """Sorted keys with the number of the shard and the row of each."""

    keys: NDArray[np.bytes_]
    shards: NDArray[np.int32]
    rows: NDArray[np.int32]


class DigestIndex:
    """The shard and row of each digest.

    A dictionary of 2 million digests would take about 500 MB. Here, digests are in sorted arrays,
    of which two of about the same size are merged into one, so that there are few.

    Examples
    --------
    >>> from multimodal_ensemble.features._digest_index import DigestIndex
    >>> index = DigestIndex()
    >>> index.add("a.shard", [b"1" * 32, b"2" * 32])
    >>> index.has([b"2" * 32, b"3" * 32]).tolist()
    [True, False]
    >>> index.find([b"2" * 32])
    [('a.shard', 1)]
    """

    def __init__(self) -> None:
        # The name of each shard by its number; None for one that was removed.
        self._names: list[str | None] = []
        self._numbers: dict[str, int] = {}
        self._runs: list[_Run] = []
        self._recent: dict[bytes, tuple[int, int]] = {}
        self._n_digests: int | None = 0

    @property
    def names(self) -> set[str]:
        """The names of all shards."""
        return set(self._numbers)

    def __len__(self) -> int:
        """Return the number of distinct digests."""
        if self._n_digests is None:
            self._sort_recent()
            alive = [run.keys[self._is_alive(run.shards)] for run in self._runs]
            self._n_digests = len(np.unique(np.concatenate(alive))) if alive else 0
        return self._n_digests

    def add(self, name: str, digests: Sequence[bytes]) -> None:
        """Add a shard with one row per digest, unless there is one of this name."""
        if name in self._numbers:
            return
        number = self._numbers[name] = len(self._names)
        self._names.append(name)
        self._n_digests = None
        for row, key in enumerate(_keys(digests)):
            present = self._recent.get(key)
            if present is None or self._names[present[0]] is None:
                self._recent[key] = (number, row)
            else:
                # The dictionary has one place per key, and a run may have several.
                self._runs = [*self._runs, _make_run({key: (number, row)})]
        if len(self._recent) >= _MAX_RECENT or len(self._runs) > 64:
            self._sort_recent()

    def remove(self, name: str) -> None:
        """Remove a shard; digests that another shard also has keep that one."""
        self._names[self._numbers.pop(name)] = None
        self._n_digests = None

    def has(self, digests: Sequence[bytes]) -> NDArray[np.bool_]:
        """Return which digests are in some shard."""
        return np.array([place is not None for place in self._places(digests)], dtype=bool)

    def find(self, digests: Sequence[bytes]) -> list[Place]:
        """Return the shard and row of each digest, or raise a KeyError."""
        places: list[Place] = []
        for place, digest in zip(self._places(digests), digests, strict=True):
            if place is None:
                raise KeyError(digest)
            places.append((str(self._names[place[0]]), place[1]))
        return places

    def _places(self, digests: Sequence[bytes]) -> list[tuple[int, int] | None]:
        keys = _keys(digests)
        recent = self._recent
        places = [recent.get(key) for key in keys]
        places = [None if p is not None and self._names[p[0]] is None else p for p in places]
        wanted = np.array(keys, dtype=f"S{_KEY_BYTES}")
        for run in self._runs:
            if not any(place is None for place in places):
                break
            here = np.searchsorted(run.keys, wanted)
            inside = here < len(run.keys)
            found = np.zeros(len(wanted), dtype=bool)
            found[inside] = run.keys[here[inside]] == wanted[inside]
            for position in np.flatnonzero(found).tolist():
                if places[position] is None:
                    places[position] = self._alive_place(run, int(here[position]))
        return places

    def _alive_place(self, run: _Run, first: int) -> tuple[int, int] | None:
        """Return the first place of a key whose shard was not removed."""
        for at in range(first, len(run.keys)):
            if run.keys[at] != run.keys[first]:
                return None
            if self._names[run.shards[at]] is not None:
                return int(run.shards[at]), int(run.rows[at])
        return None

    def _is_alive(self, shards: NDArray[np.int32]) -> NDArray[np.bool_]:
        alive = np.array([name is not None for name in self._names], dtype=bool)
        return alive[shards]

    def _sort_recent(self) -> None:
        """Turn the dictionary into a run, and merge runs of about the same size.

        Other threads may look up digests meanwhile, so lists are replaced and not changed.
        """
        runs = [*self._runs, *([_make_run(self._recent)] if self._recent else [])]
        runs.sort(key=lambda run: -len(run.keys))
        while len(runs) > 1 and len(runs[-2].keys) <= 2 * len(runs[-1].keys):
            runs = sorted([*runs[:-2], self._merge(*runs[-2:])], key=lambda run: -len(run.keys))
        self._runs = runs
        self._recent = {}

    def _merge(self, run: _Run, other: _Run) -> _Run:
        run, other = self._alive_part(run), self._alive_part(other)
        # Where the keys of `other` come. Sorting both together would take three times the memory.
        places = np.searchsorted(run.keys, other.keys, side="right") + np.arange(len(other.keys))
        is_other = np.zeros(len(run.keys) + len(other.keys), dtype=bool)
        is_other[places] = True

        def mix(ones: Any, others: Any) -> Any:
            mixed = np.empty(len(is_other), dtype=ones.dtype)
            mixed[is_other], mixed[~is_other] = others, ones
            return mixed

        merged = _Run(
            mix(run.keys, other.keys), mix(run.shards, other.shards), mix(run.rows, other.rows)
        )
        if len(is_other) >= _MANY:
            return_freed_memory()
        return merged

    def _alive_part(self, run: _Run) -> _Run:
        """Return a run without the rows of removed shards."""
        alive = self._is_alive(run.shards)
        return run if alive.all() else _Run(run.keys[alive], run.shards[alive], run.rows[alive])


def _keys(digests: Sequence[bytes]) -> list[bytes]:
    return [digest[:_KEY_BYTES] for digest in digests]


def _make_run(places: dict[bytes, tuple[int, int]]) -> _Run:
    keys = np.array(list(places), dtype=f"S{_KEY_BYTES}")
    shards, rows = np.array(list(places.values()), dtype=np.int32).T
    order = np.argsort(keys, kind="stable")
    return _Run(keys[order], np.ascontiguousarray(shards[order]), np.ascontiguousarray(rows[order]))
