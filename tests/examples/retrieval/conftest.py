"""The scene of the tests of ``retrieve``."""

import contextlib
import functools
import logging

import pytest

from .tmdb_scene import ALL_KINDS, Scene
from .tmdb_server import KEY, TOKEN, TmdbServer, faults_of


@pytest.fixture
def watch(capsys, caplog, monkeypatch):
    """Return a function that tells what was said, after checking that no key was."""
    monkeypatch.setenv("TMDB_API_KEY", KEY)
    for name in ("TMDB_BEARER_TOKEN", "TMDB_API_URL", "http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    caplog.set_level(logging.DEBUG)
    # Imported late: the other tests of the example do without its libraries.
    from examples.movielens_genres import retrieval
    from examples.movielens_genres.retrieval import _pace

    # So that nobody waits for seconds before the next attempt.
    quick = functools.partial(retrieval.RequestPolicy, backoff=0.01)
    monkeypatch.setattr(retrieval, "RequestPolicy", quick)
    monkeypatch.setattr(_pace, "_FIRST_PAUSE", 0.02)

    def said():
        captured = capsys.readouterr()
        for text in (captured.out, captured.err, caplog.text):
            assert KEY not in text
            assert TOKEN not in text
        return captured.out + captured.err

    return said


@pytest.fixture
def make_scene(tmp_path, watch):
    """Return a function that starts a server of movies, with a plan of faults."""
    with contextlib.ExitStack() as servers:

        def make(movies=ALL_KINDS, plan=None):
            plan = faults_of(plan) if isinstance(plan, dict) else plan
            server = servers.enter_context(TmdbServer(movies, plan))
            return Scene(tmp_path, movies, server, watch)

        yield make
