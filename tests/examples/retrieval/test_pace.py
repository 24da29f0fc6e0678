"""The rate of requests, and pauses."""

import time

import pytest

from examples.movielens_genres.retrieval._client import _retry_after
from examples.movielens_genres.retrieval._errors import (
    RefusedError,
    StoppedError,
)
from examples.movielens_genres.retrieval._pace import Pace


class Clock:
    """A clock, and an event whose waiting makes it go on."""

    def __init__(self):
        self.now, self.waits, self.stopped, self.during = 100.0, [], False, None

    def __call__(self):
        return self.now

    def is_set(self):
        return self.stopped

    def wait(self, seconds):
        self.waits.append(round(seconds, 6))
        self.now += seconds
        if self.during:
            during, self.during = self.during, None
            during()
        return self.stopped


@pytest.fixture
def clock():
    return Clock()


def test_requests_are_spread_evenly(clock):
    pace = Pace(10, 600, clock, clock)
    start = clock.now
    turns = []
    for _ in range(4):
        pace.wait()
        turns.append(round(clock.now - start, 6))
    assert turns == [0, 0.1, 0.2, 0.3]
    clock.now += 5
    pace.wait()
    pace.wait()
    assert clock.waits[3:] == [0.1]


def test_a_pause_applies_to_waiting_requests(clock):
    pace = Pace(10, 600, clock, clock)
    start = clock.now
    ticket = pace.wait()
    clock.during = lambda: pace.refused(ticket, 5)
    pace.wait()
    assert clock.now - start == pytest.approx(5.1)
    assert pace.paused_for() == 0


def test_pauses_without_a_time_grow_once_for_parallel_requests(clock):
    pace = Pace(float("inf"), 600, clock, clock)
    lengths = []
    for _ in range(4):
        ticket = pace.wait()
        for _ in range(16):
            pace.refused(ticket, None)
        lengths.append(pace.paused_for())
    assert lengths == [1, 2, 4, 8]
    pace.wait()
    pace.accepted()
    pace.refused(pace.wait(), None)
    assert pace.paused_for() == 1


def test_a_pause_of_zero_is_extended(clock):
    pace = Pace(float("inf"), 600, clock, clock)
    pace.refused(pace.wait(), 0)
    assert pace.paused_for() == pytest.approx(0.1)


def test_the_longer_of_two_pauses_applies(clock):
    pace = Pace(float("inf"), 600, clock, clock)
    ticket = pace.wait()
    pace.refused(ticket, 30)
    pace.refused(ticket, 10)
    assert pace.paused_for() == 30
    pace.pause(3_600)
    assert pace.paused_for() == 600


def test_patience_is_limited(clock):
    pace = Pace(float("inf"), 60, clock, clock)
    with pytest.raises(RefusedError, match="asks to wait 3600 s more"):
        pace.refused(pace.wait(), 3_600)
    pace.accepted()
    for _ in range(3):
        pace.refused(pace.wait(), 20)
    with pytest.raises(RefusedError, match="refused every request for 60 s, and asks"):
        pace.refused(pace.wait(), 20)
    pace.accepted()
    pace.refused(pace.wait(), 20)


def test_the_message_mentions_only_pauses_that_were_asked_for(clock):
    pace = Pace(float("inf"), 5, clock, clock)
    for _ in range(2):
        pace.refused(pace.wait(), None)
    for _ in range(3):
        with pytest.raises(RefusedError, match=r"refused every request for 3 s$"):
            pace.refused(pace.wait(), None)


def test_a_stop_ends_every_wait(clock):
    pace = Pace(1, 60, clock, clock)
    pace.wait()
    clock.during = lambda: setattr(clock, "stopped", True)
    with pytest.raises(StoppedError):
        pace.wait()
    with pytest.raises(StoppedError):
        pace.wait()
    assert clock.waits == [1]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("0", 0),
        (" 120 ", 120),
        ("soon", None),
        ("-5", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        ("9" * 400, float("inf")),
    ],
)
def test_retry_after_is_read(value, expected):
    assert _retry_after(value) == expected


def test_retry_after_can_be_a_date(monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 1445412400.0)
    assert _retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 80
