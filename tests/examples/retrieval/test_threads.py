"""Workers, signals and sockets."""

import signal
import socket
import threading

import pytest
import requests
from urllib3 import HTTPSConnectionPool
from urllib3.connection import HTTPSConnection

from examples.movielens_genres.retrieval._sockets import OpenSockets
from examples.movielens_genres.retrieval._workers import Interruption, Workers

from .known import URL


def test_workers_return_results_and_errors():
    workers = Workers(2, lambda task: 6 // task)
    assert workers.next_done(0.001) is None
    for task in (2, 0, 3):
        workers.submit(task)
    done = {each.task: each for each in (workers.next_done(5) for _ in range(3))}
    assert (done[2].result, done[3].result, done[0].result) == (3, 2, None)
    assert isinstance(done[0].error, ZeroDivisionError)
    before = threading.active_count()
    workers.close(5)
    assert threading.active_count() == before - 2


@pytest.fixture
def _default_sigint():
    # A shell that runs the tests in the background ignores this signal.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_default_sigint")
def test_the_first_signal_is_recorded_and_the_second_interrupts():
    before = signal.getsignal(signal.SIGTERM)
    with Interruption() as interruption:
        assert not interruption.came
        signal.raise_signal(signal.SIGTERM)
        assert interruption.came
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) == before


def test_late_sockets_are_shut():
    near, far = socket.socketpair()
    with near, far:
        sockets = OpenSockets()
        sockets.begin(until=100)
        sockets.shut()  # There is none yet.
        sockets.use(near)
        sockets.shut(late_at=99)
        near.send(b"a")
        sockets.shut(late_at=101)
        with pytest.raises(OSError, match="Broken pipe"):
            near.send(b"a")
        sockets.end()
        sockets.shut()


def test_each_pool_keeps_its_kind_of_connection():
    # The connections of SOCKS proxies take more arguments than others.
    class Connection(HTTPSConnection):
        def __init__(self, *args, through, **kwargs):
            super().__init__(*args, **kwargs)
            self.through = through

    class Pool(HTTPSConnectionPool):
        ConnectionCls = Connection

    adapter = OpenSockets().adapter()
    adapter.poolmanager.pool_classes_by_scheme = {"https": Pool}
    request = requests.Request("GET", URL).prepare()
    for _ in range(2):
        pool = adapter.get_connection_with_tls_context(request, verify=True)
        assert pool.ConnectionCls("tmdb.example", through="proxy").through == "proxy"
        # The class is replaced once, however often the pool is requested.
        assert pool.ConnectionCls.__bases__ == (Connection,)
    assert Pool.ConnectionCls is Connection
