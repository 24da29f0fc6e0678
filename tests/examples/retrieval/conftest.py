"""Fixtures of the tests of ``retrieve``; without its requirements, none of them is collected."""

import contextlib
import functools
import logging
from importlib.util import find_spec

import pytest

from .tmdb_scene import ALL_KINDS, Scene
from .tmdb_server import KEY, TOKEN, TmdbServer, faults_of

IS_INSTALLED = all(find_spec(name) for name in ("requests", "tenacity", "tqdm"))
collect_ignore_glob = [] if IS_INSTALLED else ["known.py", "test_*.py"]


@pytest.fixture
def watch(capsys, caplog, monkeypatch):
    """Return a function that returns the output, after checking that it contains no key."""
    monkeypatch.setenv("TMDB_API_KEY", KEY)
    for name in ("TMDB_BEARER_TOKEN", "TMDB_API_URL", "http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    caplog.set_level(logging.DEBUG)
    # The import needs the requirements, which may not be installed.
    from examples.movielens_genres import retrieval
    from examples.movielens_genres.retrieval import _pace

    # The tests must not wait for seconds between attempts.
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
    """Return a function that starts a server of movies with a plan of faults."""
    with contextlib.ExitStack() as servers:

        def make(movies=ALL_KINDS, plan=None):
            plan = faults_of(plan) if isinstance(plan, dict) else plan
            server = servers.enter_context(TmdbServer(movies, plan))
            return Scene(tmp_path, movies, server, watch)

        yield make


@pytest.fixture
def journal(tmp_path):
    from examples.movielens_genres.retrieval._journal import JOURNAL_FILE, Journal

    with Journal(tmp_path / JOURNAL_FILE) as journal:
        yield journal
