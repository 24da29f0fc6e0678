"""The parts of the command ``retrieve`` that need no server."""

import argparse
import csv
import dataclasses
import io
import logging
import re
import signal
import socket
import sqlite3
import sys
import threading
import time
import weakref

import pandas as pd
import pytest
import requests
from PIL import Image
from urllib3 import HTTPSConnectionPool
from urllib3.connection import HTTPSConnection

from examples.movielens_genres.__main__ import main
from examples.movielens_genres._errors import UsageError
from examples.movielens_genres.commands._retrieve import RETRIEVE
from examples.movielens_genres.data import MOVIES_FILE, TAGS_FILE, read_movielens
from examples.movielens_genres.retrieval import (
    Credential,
    RetrieveOptions,
    _journal,
    _retrieve,
    is_safe,
    read_credential,
    retrieve,
)
from examples.movielens_genres.retrieval._answers import (
    Configuration,
    Details,
    check_success,
    read_configuration,
    read_details_of,
    read_found,
)
from examples.movielens_genres.retrieval._client import _retry_after
from examples.movielens_genres.retrieval._errors import (
    KeyRefusedError,
    RefusedError,
    StoppedError,
    UnansweredError,
)
from examples.movielens_genres.retrieval._journal import (
    JOURNAL_FILE,
    Journal,
    Poster,
    open_journal,
)
from examples.movielens_genres.retrieval._key import unsigned
from examples.movielens_genres.retrieval._movies import Movie, Question, list_movies, look_up
from examples.movielens_genres.retrieval._pace import Pace
from examples.movielens_genres.retrieval._posters import PosterFolder, check_image
from examples.movielens_genres.retrieval._sockets import OpenSockets
from examples.movielens_genres.retrieval._table import MISSING_FILE, write_tables, write_tags
from examples.movielens_genres.retrieval._workers import Interruption, Workers

KEY = "00112233445566778899aabbccddeeff"
TOKEN = "eyJhbGciOiJub25lIn0.eyJhdWQiOiJ0ZXN0In0.c2lnbmF0dXJl"
URL = "https://tmdb.example/3"
TOY = Details(tmdb_id=862, release_year="1995", language="en", poster_path="/toy.jpg")
TOY_STORY = Movie(1, 'Toy Story, "the" (1995)', "Animation|Comedy", "0114709", "862")
SECOND = Movie(9, "Toy Story again", "", "", "862")
STALE = Movie(2, "Moved", "Drama", "0000002", "999")
LINKED_BY_IMDB = Movie(3, "Old", "Drama", "0000003", "")
NO_LINKS = Movie(4, "Nowhere", "Drama", "", "")


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


@pytest.fixture
def journal(tmp_path):
    with Journal(tmp_path / JOURNAL_FILE) as journal:
        yield journal


def image(form="JPEG"):
    file = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").resize((20, 30)).save(file, form)
    return file.getvalue()


def signed(credential, url=f"{URL}/movie/1"):
    return requests.Request("GET", url, params={"a": "b"}, auth=credential).prepare()


@pytest.mark.parametrize(
    ("name", "value", "bearer"),
    [
        ("TMDB_API_KEY", KEY, False),
        ("TMDB_API_KEY", f" {KEY}\n", False),
        ("TMDB_API_KEY", TOKEN, True),
        ("TMDB_API_KEY", "another-form", False),
        ("TMDB_BEARER_TOKEN", TOKEN, True),
        ("TMDB_BEARER_TOKEN", "another-form", True),
        ("TMDB_BEARER_TOKEN", KEY.upper(), False),
        ("TMDB_ACCESS_TOKEN", TOKEN, True),
    ],
)
def test_a_key_of_the_environment_signs_requests(name, value, bearer):
    request = signed(read_credential(None, {name: value}))
    if bearer:
        assert request.headers["Authorization"] == f"Bearer {value.strip()}"
        assert request.url == f"{URL}/movie/1?a=b"
    else:
        assert request.url == f"{URL}/movie/1?a=b&api_key={value.strip()}"
        assert "Authorization" not in request.headers


def test_a_key_file_has_precedence_over_the_environment(tmp_path):
    file = tmp_path / "key"
    file.write_text(f"{TOKEN}\n")
    credential = read_credential(str(file), {"TMDB_API_KEY": KEY})
    assert signed(credential).headers["Authorization"] == f"Bearer {TOKEN}"


def test_an_empty_variable_is_ignored():
    environment = {"TMDB_BEARER_TOKEN": "", "TMDB_ACCESS_TOKEN": " ", "TMDB_API_KEY": KEY}
    assert signed(read_credential(None, environment)).url.endswith(f"api_key={KEY}")


def test_a_byte_order_mark_is_not_part_of_a_key(tmp_path):
    path = tmp_path / "key.txt"
    path.write_text(f"{KEY}\n", encoding="utf-8-sig")
    assert signed(read_credential(str(path), {})).url.endswith(f"api_key={KEY}")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("", r"^TMDB requires a key: set TMDB_API_KEY .*settings/api"),
        (" \n", r"^TMDB requires a key"),
        ("secret words", r"^The variable TMDB_API_KEY contains blanks, line breaks or non-ASCII"),
        ("secret\nwords", r"contains blanks"),
        ("secrét", r"contains blanks, line breaks or non-ASCII letters"),
    ],
)
def test_an_invalid_key_is_reported_and_not_shown(value, message):
    with pytest.raises(UsageError, match=message) as caught:
        read_credential(None, {"TMDB_API_KEY": value})
    assert "secr" not in str(caught.value)


def test_a_missing_key_or_file_is_reported(tmp_path):
    with pytest.raises(UsageError, match=r"set TMDB_API_KEY or TMDB_BEARER_TOKEN .*--key-file"):
        read_credential(None, {})
    with pytest.raises(UsageError, match=r"file of --key-file cannot be read \(No such file"):
        read_credential(str(tmp_path / "none"), {})
    file = tmp_path / "key"
    file.write_bytes(b"\xff\xfesecret")
    with pytest.raises(UsageError, match=r"key' contains blanks, line breaks or non-ASCII letters"):
        read_credential(str(file), {})


def test_a_key_is_not_printed():
    credential = Credential(KEY, bearer=False)
    assert KEY not in f"{credential} {credential!r} {[credential]}"
    assert "bearer=False" in repr(credential)


def test_logs_do_not_show_the_key(caplog):
    caplog.set_level(logging.DEBUG)
    logger = logging.getLogger("urllib3.connectionpool")
    credential = Credential("a+b/c", bearer=False)
    with credential.hidden_in_logs():
        logger.debug('"GET %s HTTP/1.1" %s', "/3?api_key=a%2Bb%2Fc", 200)
        logger.warning("a+b/c")
        logger.warning("%s left alone", "rest")
    logger.warning("a+b/c afterwards")
    assert caplog.messages == [
        '"GET /3?api_key=[key hidden] HTTP/1.1" 200',
        "[key hidden]",
        "rest left alone",
        "a+b/c afterwards",
    ]


@pytest.mark.parametrize(
    ("auth", "header"),
    [
        (Credential(TOKEN, bearer=True), f"Bearer {TOKEN}"),
        (Credential(KEY, bearer=False), None),
        (unsigned, None),
    ],
    ids=["token", "key", "none"],
)
def test_netrc_does_not_replace_the_key(tmp_path, monkeypatch, auth, header):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine tmdb.example login me password mine\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with requests.Session() as session:
        plain = session.prepare_request(requests.Request("GET", URL))
        assert plain.headers["Authorization"].startswith("Basic")
        request = session.prepare_request(requests.Request("GET", URL, auth=auth))
    assert request.headers.get("Authorization") == header


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


def answer(**values):
    given = {
        "id": 862,
        "release_date": "1995-10-30",
        "original_language": "en",
        "poster_path": "/toy.jpg",
    }
    return given | values


@pytest.mark.parametrize(
    ("values", "changed"),
    [
        ({}, {}),
        ({"release_date": ""}, {"release_year": ""}),
        ({"release_date": None}, {"release_year": ""}),
        ({"original_language": None}, {"language": ""}),
        ({"poster_path": None}, {"poster_path": ""}),
        ({"title": 5}, {}),
    ],
)
def test_details_are_read(values, changed):
    assert read_details_of("862", answer(**values)) == Details(**(TOY.__dict__ | changed))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"id": 863}, "about another movie"),
        ({"id": True}, "'id'"),
        ({"id": "862"}, "'id'"),
        ({"id": 10**30}, "'id'"),
        ({"release_date": 1995}, "'release_date'"),
        ({"release_date": "soon"}, "'release_date'"),
        ({"release_date": "\u0661\u0669\u0669\u0665-10-30"}, "'release_date'"),
        ({"original_language": ["en"]}, "'original_language'"),
        ({"original_language": "\ud800"}, "'original_language'"),
        ({"poster_path": "/../key"}, "'poster_path'"),
        ({"poster_path": "//other.example/a.jpg"}, "'poster_path'"),
        ({"poster_path": "/a.jpg\n"}, "'poster_path'"),
        ({"poster_path": "/a.jpg?b"}, "'poster_path'"),
        ({"poster_path": f"/{'a' * 97}.jpg"}, "'poster_path'"),
    ],
)
def test_details_of_another_shape_are_rejected(values, message):
    with pytest.raises(UnansweredError, match=message):
        read_details_of("862", answer(**values))


@pytest.mark.parametrize("secure", [{}, {"secure_base_url": ""}, {"secure_base_url": None}])
def test_the_plain_address_of_images_is_used_if_it_is_safe(secure):
    sizes = {"poster_sizes": ["w185"], **secure}
    answer = {"images": {"base_url": "https://image.example/t/p/", **sizes}}
    assert read_configuration(answer).image_url == "https://image.example/t/p"
    with pytest.raises(UnansweredError):
        read_configuration({"images": {"base_url": "http://image.example/t/p/", **sizes}})


@pytest.mark.parametrize("name", ["id", "release_date", "original_language", "poster_path"])
def test_details_that_lack_a_key_are_rejected(name):
    given = answer()
    del given[name]
    with pytest.raises(UnansweredError, match=f"'{name}'"):
        read_details_of("862", given)


def test_found_movies_are_read():
    without_date = answer()
    del without_date["release_date"]
    assert read_found({"movie_results": []}) is None
    assert read_found({"movie_results": [answer(), answer(id=1)]}) == TOY
    assert read_found({"movie_results": [without_date]}).release_year == ""
    for wrong in ({}, {"movie_results": None}, {"movie_results": [5]}, {"movie_results": {}}):
        with pytest.raises(UnansweredError, match="'movie_results'"):
            read_found(wrong)


def test_the_configuration_is_read():
    images = {"secure_base_url": "https://images.example/t/p/", "poster_sizes": ["w92", "original"]}
    expected = Configuration("https://images.example/t/p", ("w92", "original"))
    assert read_configuration({"images": images}) == expected
    for wrong in (
        {"secure_base_url": "http://images.example/t/p/"},
        {"secure_base_url": "https://images.example/\u2028"},
        {"poster_sizes": "w92"},
        {"poster_sizes": ["w92", 5]},
        {"poster_sizes": ["../w92"]},
    ):
        with pytest.raises(UnansweredError, match="JSON without a proper"):
            read_configuration({"images": images | wrong})


def test_an_error_with_status_200_is_rejected():
    check_success(answer())
    with pytest.raises(UnansweredError, match="an error instead of the data"):
        check_success({"success": False, "status_code": 11})
    with pytest.raises(KeyRefusedError):
        check_success({"success": False, "status_code": 7})


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://api.themoviedb.org/3", True),
        ("http://localhost:80/3", True),
        ("http://127.0.0.7/3", True),
        ("http://[::1]:8/3", True),
        ("http://api.themoviedb.org/3", False),
        ("http://127.0.0.1.example/3", False),
        ("http://localhost.example", False),
        ("ftp://127.0.0.1", False),
        ("https://", False),
        ("https://[", False),
        ("", False),
    ],
)
def test_only_https_and_local_addresses_are_safe(url, safe):
    assert is_safe(url) == safe


def test_answers_are_saved(tmp_path):
    path = tmp_path / JOURNAL_FILE
    configuration = Configuration("https://images.example", ("w92", "w185"))
    with Journal(path) as journal:
        assert journal.answer("movie/862") is None
        journal.keep_answer("movie/862", TOY)
        journal.keep_answer("movie/5", None)
        journal.keep_poster("/toy.jpg", Poster("1.jpg", 55))
        journal.keep_poster("/lost.jpg", Poster(None, 0))
        journal.keep_configuration(URL, configuration)
    with Journal(path) as journal:
        assert journal.answer("movie/862") == (TOY,)
        assert journal.answer("movie/5") == (None,)
        assert journal.answer("movie/6") is None
        assert journal.poster("/toy.jpg") == Poster("1.jpg", 55)
        assert journal.poster("/lost.jpg") == Poster(None, 0)
        assert journal.poster("/other.jpg") is None
        assert journal.configuration(URL) == configuration
        assert journal.configuration("https://other.example") is None


def test_details_are_saved_by_name(journal, monkeypatch):
    fields = [(field.name, field.type) for field in reversed(dataclasses.fields(Details))]
    other = dataclasses.make_dataclass("Other", fields)
    monkeypatch.setattr(_journal, "Details", other)
    monkeypatch.setattr(_journal, "_DETAILS", ", ".join(name for name, _ in fields))
    given = other(**dataclasses.asdict(TOY))
    journal.keep_answer("movie/862", given)
    assert journal.answer("movie/862") == (given,)
    row = journal._run("SELECT tmdb_id, poster_path FROM answers").fetchone()
    assert row == (862, "/toy.jpg")


def test_answers_survive_a_kill(tmp_path):
    path = tmp_path / JOURNAL_FILE
    journal = Journal(path)
    journal.keep_answer("movie/862", TOY)
    # A killed process would leave exactly this content.
    copy = tmp_path / "copy"
    for suffix in ("", "-wal"):
        (tmp_path / f"copy{suffix}").write_bytes(path.with_name(path.name + suffix).read_bytes())
    journal.close()
    with Journal(copy) as killed:
        assert killed.answer("movie/862") == (TOY,)


def test_unknown_answers_can_be_forgotten(journal):
    journal.keep_answer("movie/862", TOY)
    journal.keep_answer("movie/5", None)
    journal.keep_answer("movie/6", Details(6, "1990", "en", ""))
    journal.keep_poster("/toy.jpg", Poster("1.jpg", 55))
    journal.keep_poster("/lost.jpg", Poster(None, 0))
    journal.keep_configuration(URL, Configuration("https://images.example", ("w92",)))
    journal.forget_absent()
    assert journal.answer("movie/862") == (TOY,)
    assert journal.poster("/toy.jpg")
    assert [journal.answer("movie/5"), journal.answer("movie/6")] == [None, None]
    assert [journal.poster("/lost.jpg"), journal.configuration(URL)] == [None, None]


def test_deleted_posters_are_forgotten(journal):
    for number in range(3):
        journal.keep_poster(f"/{number}.jpg", Poster(f"{number}.jpg", 55))
    journal.keep_poster("/lost.jpg", Poster(None, 0))
    assert journal.forget_posters_but({"0.jpg": 55, "1.jpg": 54}) == 2
    assert [journal.poster(f"/{number}.jpg") is None for number in range(3)] == [False, True, True]
    assert journal.poster("/lost.jpg")
    assert journal.has_posters()
    assert journal.forget_posters_but({}) == 1
    assert not journal.has_posters()


def test_a_journal_can_be_open_only_once(journal, tmp_path, monkeypatch):
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda path, **_: connect(path, timeout=0))
    with pytest.raises(UsageError, match=r"^Another retrieve is running in '.*'; wait until"):
        open_journal(tmp_path / JOURNAL_FILE)
    journal.close()
    open_journal(tmp_path / JOURNAL_FILE).close()


def test_a_damaged_journal_is_renamed(tmp_path, capsys):
    path = tmp_path / JOURNAL_FILE
    path.write_bytes(b"not a database, but long enough for one" * 100)
    path.with_name(f"{path.name}-wal").write_bytes(b"of that one")
    with open_journal(path) as journal:
        assert journal.answer("movie/862") is None
    assert path.with_name(f"{path.name}.damaged").read_bytes().startswith(b"not a database")
    assert "was damaged and is renamed to 'retrieval.sqlite.damaged'" in capsys.readouterr().out


def test_a_journal_of_another_version_is_not_changed(tmp_path):
    path = tmp_path / JOURNAL_FILE
    Journal(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 9")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(UsageError, match=r"is of format 9, not 1; use another --out"):
        open_journal(path)
    assert path.read_bytes() == before


def test_posters_are_written_whole_or_not_at_all(tmp_path):
    folder = tmp_path / "posters"
    folder.mkdir()
    (folder / ".7.jpg.tmp").write_bytes(b"half")
    posters = PosterFolder(folder)
    content = image()
    assert posters.write("1.jpg", content) == Poster("1.jpg", len(content))
    assert posters.sizes() == {"1.jpg": len(content)}
    assert posters.find("1.jpg") == Poster("1.jpg", len(content))
    assert posters.find("2.jpg") is None
    (folder / "2.jpg").write_bytes(content[:-200])
    assert posters.find("2.jpg") is None
    with pytest.raises(OSError, match="File name too long"):
        posters.write("x" * 300, content)
    assert sorted(posters.sizes()) == ["1.jpg", "2.jpg"]


@pytest.mark.parametrize(
    ("path", "file"),
    [
        ("/toy.jpg", "toy-w92.jpg"),
        ("/toy-w92.jpg", "toy-w92-w92.jpg"),
        ("/a.b.png", "a.b-w92.png"),
        ("/toy", "toy-w92"),
    ],
)
def test_a_poster_is_named_after_its_path_and_size(path, file):
    assert PosterFolder.name(path, "w92") == file


def test_images_of_any_format_are_accepted():
    assert check_image(image("PNG")) == image("PNG")
    for content in (b"", b"<html></html>", image()[:-100], image("PNG")[:-60]):
        with pytest.raises(UnansweredError, match="something other than an image"):
            check_image(content)


def test_the_next_question_depends_on_the_answers(journal):
    assert look_up(STALE, journal).question == Question("movie", "999")
    journal.keep_answer("movie/999", None)
    assert look_up(STALE, journal).question == Question("find", "tt0000002")
    journal.keep_answer("find/tt0000002", TOY)
    assert look_up(STALE, journal).question == Question("poster", "/toy.jpg")
    # Another movie with the same poster does not need to ask for it.
    journal.keep_poster("/toy.jpg", Poster("toy-w92.jpg", 55))
    journal.keep_answer("movie/862", TOY)
    assert look_up(TOY_STORY, journal).question is None
    assert look_up(TOY_STORY, journal).poster_file == "posters/toy-w92.jpg"
    assert look_up(LINKED_BY_IMDB, journal).question == Question("find", "tt0000003")
    assert look_up(NO_LINKS, journal).question is None


def test_tables_become_movies():
    movies = pd.DataFrame({"movieId": [1], "title": ["A"], "genres": ["B"]})
    links = pd.DataFrame({"movieId": [1], "imdbId": ["0000007"], "tmdbId": [""]})
    assert list_movies(movies, links) == [Movie(1, "A", "B", "0000007", "")]


def read_csv(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_the_tables_list_answers_and_gaps(journal, tmp_path):
    no_poster, no_year = Movie(5, "B", "", "", "5"), Movie(6, "C", "", "", "6")
    lost, failed = Movie(7, "D", "", "", "7"), Movie(8, "E", "", "", "8")
    journal.keep_answer("movie/862", TOY)
    journal.keep_poster("/toy.jpg", Poster("1.jpg", 55))
    journal.keep_answer("find/tt0000003", None)
    journal.keep_answer("movie/5", Details(5, "2001", "en", ""))
    journal.keep_answer("movie/6", Details(6, "", "", "/toy.jpg"))
    journal.keep_answer("movie/7", Details(7, "2002", "fr", "/lost.jpg"))
    journal.keep_poster("/lost.jpg", Poster(None, 0))
    movies = [TOY_STORY, STALE, LINKED_BY_IMDB, NO_LINKS, no_poster, no_year, lost, failed, SECOND]
    failures = {Question("movie", "8"): "HTTP status 500"}
    summary = write_tables(tmp_path, movies, journal, failures)
    header, *rows = read_csv(tmp_path / MOVIES_FILE)
    assert ",".join(header) == "movieId,title,genres,tmdbId,release_year,language,poster_file"
    title = 'Toy Story, "the" (1995)'
    assert rows == [
        ["1", title, "Animation|Comedy", "862", "1995", "en", "posters/1.jpg"],
        ["2", "Moved", "Drama", "999", "", "", ""],
        ["3", "Old", "Drama", "", "", "", ""],
        ["4", "Nowhere", "Drama", "", "", "", ""],
        ["5", "B", "", "5", "2001", "en", ""],
        ["6", "C", "", "6", "", "", "posters/1.jpg"],
        ["7", "D", "", "7", "2002", "fr", ""],
        ["8", "E", "", "8", "", "", ""],
        ["9", "Toy Story again", "", "862", "1995", "en", "posters/1.jpg"],
    ]
    assert read_csv(tmp_path / MISSING_FILE) == [
        ["movieId", "title", "reason"],
        ["2", "Moved", "not asked yet"],
        ["3", "Old", "not on TMDB"],
        ["4", "Nowhere", "no link to TMDB or IMDb"],
        ["5", "B", "no poster on TMDB"],
        ["6", "C", "no release date on TMDB; no language on TMDB"],
        ["7", "D", "poster not found (404)"],
        ["8", "E", "not answered: HTTP status 500"],
    ]
    assert (summary.movies, summary.with_poster, summary.unanswered) == (9, 3, 2)
    lines = summary.lines()
    assert lines[0].split() == ["movies", "9"]
    assert "not answered: HTTP status 500        1  8 E" in lines
    assert not list(tmp_path.glob(".*"))


def test_a_summary_shows_examples(journal, tmp_path):
    movies = [Movie(number, f"M\x1b{number}", "", "", "") for number in range(1500)]
    lines = write_tables(tmp_path, movies, journal, {}).lines()
    assert lines[-1] == "no link to TMDB or IMDb    1,500  0 M?0; 1 M?1; 2 M?2; …"


def test_a_failed_table_keeps_the_old_one(journal, tmp_path):
    (tmp_path / MOVIES_FILE).write_text("old")

    def movies():
        yield TOY_STORY
        raise OSError(28, "No space left")

    with pytest.raises(OSError, match="No space left"):
        write_tables(tmp_path, movies(), journal, {})
    assert (tmp_path / MOVIES_FILE).read_text() == "old"
    assert not list(tmp_path.glob(".*"))


def test_tags_are_written_in_the_layout_of_movielens(tmp_path):
    tags = pd.DataFrame({"userId": [1, 2], "movieId": [3, 4], "tag": ['a, "b"', "NA"], "more": 0})
    write_tags(tmp_path, tags)
    assert (tmp_path / TAGS_FILE).read_bytes() == b'userId,movieId,tag\n1,3,"a, ""b"""\n2,4,NA\n'


@pytest.fixture
def source(tmp_path):
    """Return a MovieLens folder of one movie."""
    files = {
        "movies.csv": "movieId,title,genres\n1,A,B\n",
        "links.csv": "movieId,imdbId,tmdbId\n1,0114709,862\n",
        "tags.csv": "userId,movieId,tag,timestamp\n1,1,c,5\n",
    }
    folder = tmp_path / "source"
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def find_credential():
    return Credential(KEY, bearer=False)


def run_without_server(source, out, poster_size="w185", find_credential=find_credential):
    options = RetrieveOptions(
        source, out, find_credential, api_url=URL, poster_size=poster_size, quiet=True
    )
    return retrieve(options)


@pytest.mark.parametrize(
    "name", [MOVIES_FILE, TAGS_FILE, "missing.csv", "findings.csv", "posters/1.jpg"]
)
def test_files_of_the_user_are_not_overwritten(source, tmp_path, name):
    file = tmp_path / "out" / name
    file.parent.mkdir(parents=True)
    file.write_text("mine")
    name_shown = re.escape(name.removesuffix("/1.jpg"))
    with pytest.raises(UsageError, match=rf"holds {name_shown}, which this command did not write"):
        run_without_server(source, tmp_path / "out")
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == [file]


def test_movies_without_any_link_are_an_error(source, tmp_path):
    (source / "links.csv").unlink()
    with pytest.raises(UsageError, match=r"^No movie has an id of TMDB or IMDb.*--links"):
        run_without_server(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_reported(source, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"^--out '.*file' is a file; name a folder"):
        run_without_server(source, tmp_path / "file")
    with pytest.raises(UsageError, match=r"cannot be written \(.*Not a directory.*are kept; solve"):
        run_without_server(source, tmp_path / "file" / "out")


def test_a_complete_folder_needs_neither_requests_nor_a_key(source, tmp_path, capsys):
    def find_none():
        pytest.fail("a key was asked for")

    out = tmp_path / "out"
    out.mkdir()
    with Journal(out / JOURNAL_FILE) as journal:
        journal.keep_answer("movie/862", TOY)
        journal.keep_poster("/toy.jpg", PosterFolder(out / "posters").write("1.jpg", image()))
        journal.keep_setting("poster_size", "w185")
    assert run_without_server(source, out, find_credential=find_none) == 0
    said = capsys.readouterr().out
    assert "0 requests and 0.0 MB" in said
    assert "not endorsed or certified by TMDB" in said
    with pytest.raises(UsageError, match=r"of the size w185: use --poster-size w185, or another"):
        run_without_server(source, out, poster_size="w342")


def test_without_a_key_nothing_is_written(source, tmp_path):
    with pytest.raises(UsageError, match="TMDB requires a key"):
        run_without_server(
            source, tmp_path / "out", find_credential=lambda: read_credential(None, {})
        )
    assert not (tmp_path / "out").exists()


def test_findings_are_written_as_long_as_there_are_any(source, tmp_path):
    tags, out = source / "tags.csv", tmp_path / "out"
    whole = tags.read_text()
    tags.write_text(f"{whole}2,1, ,5\n3,1,,5\n")
    out.mkdir()
    with Journal(out / JOURNAL_FILE) as journal:
        journal.keep_answer("movie/862", dataclasses.replace(TOY, poster_path=""))
    assert run_without_server(source, out) == 0
    assert read_csv(out / "findings.csv") == [
        ["file", "problem", "rows", "rule", "example"],
        ["tags.csv", "empty tag", "2", "dropped", "2,1, "],
    ]
    tags.write_text(whole)
    assert run_without_server(source, out) == 0
    assert not (out / "findings.csv").exists()


def test_the_tables_of_movielens_are_released(source, tmp_path, monkeypatch):
    tables = []

    def read(*arguments, **options):
        movielens = read_movielens(*arguments, **options)
        tables.extend(map(weakref.ref, (movielens.movies, movielens.links, movielens.tags)))
        return movielens

    def ask(*_):
        assert [table() for table in tables] == [None] * 3
        raise StoppedError

    monkeypatch.setattr(_retrieve, "read_movielens", read)
    monkeypatch.setattr(_retrieve, "Asking", ask)
    with pytest.raises(StoppedError):
        run_without_server(source, tmp_path / "out")


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


def parse(*arguments):
    parser = argparse.ArgumentParser()
    RETRIEVE.add_parser(parser.add_subparsers())
    given = ["retrieve", "--movielens", "a", "--out", "b", *arguments]
    return RETRIEVE.parse(parser.parse_args(given))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rate", "0"], r"^--rate must be above 0 and below 10,000,000, not 0\.0\.$"),
        (["--rate", "nan"], r"^--rate must be above 0 .* not nan"),
        (["--timeout", "-1"], r"^--timeout must be above 0"),
        (["--timeout", "inf"], r"^--timeout must be above 0 and below 10,000,000, not inf"),
        (["--patience", "0"], r"^--patience must be above 0"),
        (["--connections", "0"], r"^--connections must be at least 1, not 0\.$"),
        (["--connections", "101"], r"^--connections must be at most 100, not 101\.$"),
        (["--attempts", "0"], r"^--attempts must be at least 1"),
        (["--limit", "0"], r"^--limit must be at least 1"),
        (["--api-url", "http://tmdb.example/3"], r"must begin with https://.* 'http://tmdb"),
        (["--api-url", "https://[::1/3"], r"is not a URL; TMDB's is https"),
        (["--api-url", f"https://tmdb.example:{KEY}/3"], r"is not a URL; TMDB's is https"),
        (["--api-url", f"{URL}?api_key={KEY}"], r"must have no user, query or fragment"),
        (["--api-url", f"https://{KEY}@tmdb.example"], r"must have no user, query"),
    ],
)
def test_wrong_options_are_reported(arguments, message, monkeypatch):
    monkeypatch.setenv("TMDB_API_KEY", KEY)
    with pytest.raises(UsageError, match=message) as caught:
        parse(*arguments)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("wrong", [["--apikey", KEY], [KEY], ["--rate", KEY], ["--help-me", TOKEN]])
def test_a_key_in_a_wrong_place_is_not_shown(wrong, capsys):
    with pytest.raises(SystemExit):
        main(["retrieve", "--movielens", "a", "--out", "b", *wrong])
    said = capsys.readouterr().err
    assert "[a key]" in said
    assert wrong[-1] not in said


def test_the_defaults_of_the_command_are_those_of_its_options(monkeypatch):
    monkeypatch.delenv("TMDB_API_URL", raising=False)
    given = parse()
    expected = RetrieveOptions(given.movielens, given.out, given.find_credential)
    assert given == expected


def test_a_missing_package_is_named(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("examples.movielens_genres.retr")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "requests", None)
    with pytest.raises(
        UsageError, match=r"needs the package 'requests'; run pip install -r .*/requirements.txt\.$"
    ):
        parse()
