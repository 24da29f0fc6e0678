"""The index of a store: the same answers as a dictionary, in less memory."""

import hashlib
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from multimodal_ensemble.features import _digest_index as module
from multimodal_ensemble.features._digest_index import DigestIndex


def digest(number):
    return hashlib.sha256(bytes([number % 256, number // 256])).digest()


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(0, 9), st.lists(st.integers(0, 30), max_size=6)),
        st.tuples(st.just("remove"), st.integers(0, 9), st.none()),
    ),
    max_size=40,
)


@settings(deadline=None, max_examples=150)
@given(STEPS, st.integers(1, 12))
def test_answers_are_those_of_a_dictionary(steps, max_recent):
    index = DigestIndex()
    shards = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_MAX_RECENT", max_recent)
        for kind, shard, numbers in steps:
            name = f"{shard}.shard"
            if kind == "add":
                index.add(name, [digest(number) for number in numbers])
                shards.setdefault(name, numbers)
            elif name in shards:
                index.remove(name)
                del shards[name]
            assert index.names == set(shards)
            known = {number for numbers in shards.values() for number in numbers}
            wanted = list(range(31))
            assert index.has([digest(n) for n in wanted]).tolist() == [n in known for n in wanted]
            assert len(index) == len(known)
            present = sorted(known)
            places = index.find([digest(number) for number in present])
            for number, (name, row) in zip(present, places, strict=True):
                assert shards[name][row] == number
    absent = next(number for number in range(32) if number not in known) if steps else 0
    with pytest.raises(KeyError):
        index.find([digest(absent)])


def test_the_index_is_small():
    generator = np.random.default_rng(0)
    digests = [generator.bytes(32) for _ in range(40_000)]
    index = DigestIndex()
    tracemalloc.start()
    for start in range(0, len(digests), 250):
        index.add(f"{start}.shard", digests[start : start + 250])
    index._sort_recent()
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    # A dictionary of places takes about 200 bytes per digest.
    assert size < 30 * len(digests)
    assert index.has(digests).all()
