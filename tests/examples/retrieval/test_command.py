"""The command ``retrieve``, from a MovieLens folder and a local server to a data folder."""

import csv
import dataclasses
import random
import re
import shutil
import signal
import threading
import time
from pathlib import Path

import pytest

from .tmdb_movies import draw_poster, expected_row, make_movies, needed_paths, write_movielens
from .tmdb_scene import ALL_KINDS, CONFIGURATION, CONNECTIONS, PLAIN, TABLE
from .tmdb_server import KEY, TOKEN, Fault


def test_everything_is_retrieved_and_asked_once(make_scene):
    scene = make_scene()
    status, said = scene.run()
    assert status == 0, said
    scene.check_files()
    scene.check_asked_once()
    assert scene.server.most_connections <= CONNECTIONS + 1


def test_a_second_run_asks_nothing(make_scene):
    scene = make_scene()
    assert scene.run()[0] == 0
    first = len(scene.server.log)
    (scene.out / TABLE).unlink()
    assert scene.run()[0] == 0
    assert len(scene.server.log) == first
    scene.check_files()


def test_a_bearer_token_can_replace_the_key(make_scene, monkeypatch):
    scene = make_scene(PLAIN)
    monkeypatch.delenv("TMDB_API_KEY")
    monkeypatch.setenv("TMDB_BEARER_TOKEN", TOKEN)
    assert scene.run()[0] == 0
    scene.check_files()
    scene.check_asked_once()


@pytest.mark.parametrize("content", [f"{KEY}\n", f"  {TOKEN}\r\n\n"], ids=["key", "token"])
def test_a_key_can_be_read_from_a_file(make_scene, monkeypatch, content):
    scene = make_scene(PLAIN)
    monkeypatch.delenv("TMDB_API_KEY")
    file = scene.folder / "key.txt"
    file.write_bytes(content.encode())
    assert scene.run(key_file=file)[0] == 0
    scene.check_files()


def test_a_wrong_key_stops_the_command_at_once(make_scene, monkeypatch, caplog):
    wrong = "f" * 32
    monkeypatch.setenv("TMDB_API_KEY", wrong)
    scene = make_scene()
    status, said = scene.run()
    assert status == 2
    assert "401" in said
    assert wrong not in said + caplog.text
    assert len(scene.server.log) <= CONNECTIONS


def test_a_withdrawn_key_stops_the_command_and_keeps_all_answers(make_scene):
    scene = make_scene(
        ALL_KINDS, lambda path, _nth, total: Fault(401) if total > 20 and "/3/" in path else None
    )
    status, _ = scene.run()
    assert status == 2
    # Each connection may begin another request before the first answer is handled.
    assert sum(entry.status == 401 for entry in scene.server.log) <= 2 * CONNECTIONS
    scene.server.plan = None
    assert scene.run()[0] == 0
    scene.check_files()
    scene.check_repeats(at_most=CONNECTIONS)


def test_only_a_deleted_poster_is_retrieved_again(make_scene):
    scene = make_scene()
    scene.run()
    movie = ALL_KINDS[12]
    (scene.out / movie.file()).unlink()
    before = len(scene.server.log)
    assert scene.run()[0] == 0
    scene.check_files()
    again = [entry.path for entry in scene.server.log[before:]]
    assert [path for path in again if path != CONFIGURATION] == [movie.poster()]


def test_unknown_movies_are_asked_again_with_ask_again(make_scene):
    scene = make_scene()
    scene.run()
    before = len(scene.server.log)
    status, said = scene.run(ask_again=True)
    assert status == 0, said
    again = {entry.path for entry in scene.server.log[before:]} - {CONFIGURATION}
    gone, lost = ALL_KINDS[2], ALL_KINDS[9]
    assert gone.find in again
    assert lost.poster() in again
    assert ALL_KINDS[12].details not in again
    scene.check_files()


def test_a_folder_holds_posters_of_one_size(make_scene):
    scene = make_scene(PLAIN)
    scene.run()
    before = len(scene.server.log)
    status, said = scene.run(poster_size="w342")
    assert status == 2
    assert "w185" in said
    assert "w342" in said
    assert len(scene.server.log) == before
    scene.check_files()


def test_another_poster_size_can_be_chosen(make_scene):
    scene = make_scene(PLAIN)
    assert scene.run(poster_size="w92")[0] == 0
    scene.check_files(size="w92")


def test_an_unknown_poster_size_is_refused(make_scene):
    scene = make_scene(PLAIN)
    status, said = scene.run(poster_size="w186")
    assert status == 2
    assert "w186" in said
    assert "w185" in said


def test_a_limited_run_can_be_continued(make_scene):
    scene = make_scene()
    assert scene.run(limit=3)[0] == 0
    assert set(scene.asked()) == needed_paths(ALL_KINDS[:3])
    assert scene.run()[0] == 0
    scene.check_files()
    scene.check_repeats(at_most=0)


def test_out_can_be_the_movielens_folder(make_scene):
    scene = make_scene()
    scene.out = scene.folder / "movielens"
    given = {path: path.read_bytes() for path in scene.out.iterdir()}
    assert scene.run()[0] == 0
    scene.check_files()
    assert {path: path.read_bytes() for path in given} == given


def test_links_can_come_from_another_file(make_scene):
    scene = make_scene(PLAIN)
    links = (scene.folder / "movielens" / "links.csv").rename(scene.folder / "mine.csv")
    status, said = scene.run()
    assert status == 2
    assert "--links" in said
    assert not scene.server.log
    assert scene.run(links=links)[0] == 0
    scene.check_files()


def test_a_movie_with_a_corrected_link_gets_the_right_poster(make_scene):
    scene = make_scene(PLAIN)
    write_movielens(scene.folder / "movielens", PLAIN[:2])
    assert scene.run()[0] == 0
    # The first movie now links to the third, and the second to the first.
    mended = [
        dataclasses.replace(movie, movie_id=of.movie_id, title=of.title, genres=of.genres)
        for movie, of in zip([PLAIN[2], PLAIN[0]], PLAIN, strict=False)
    ]
    write_movielens(scene.folder / "other", mended)
    assert scene.run(links=scene.folder / "other" / "links.csv")[0] == 0
    assert scene.rows() == [expected_row(movie) for movie in mended]
    for movie in mended:
        assert (scene.out / movie.file()).read_bytes() == draw_poster(movie.poster())
    assert scene.asked()[PLAIN[0].poster()] == 1


def test_a_movie_without_links_is_kept(make_scene):
    scene = make_scene(PLAIN)
    path = scene.folder / "movielens" / "links.csv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]), encoding="utf-8")
    assert scene.run()[0] == 0
    expected = [expected_row(movie) for movie in PLAIN]
    expected[-1] |= dict.fromkeys(("tmdbId", "release_year", "language", "poster_file"), "")
    scene.check_files(expected)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_after_a_kill_only_pending_requests_are_repeated(make_scene, seed):
    movies = make_movies(40)
    scene = make_scene(movies, lambda *_: None)
    process = scene.start()
    scene.wait_for_requests(random.Random(seed).randrange(3, len(needed_paths(movies)) - 10))
    process.kill()
    process.communicate()
    assert not (scene.out / TABLE).exists()
    status, said = scene.run()
    assert status == 0, said
    scene.check_files()
    # The process may have received an answer that it could not save.
    scene.check_repeats(at_most=2 * CONNECTIONS)


def test_an_interrupt_keeps_all_answers(make_scene):
    def interrupt(_path, _nth, total):
        if total == 20:
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        return None

    scene = make_scene(ALL_KINDS, interrupt)
    status, said = scene.run()
    assert status == 130
    assert "nterrupted" in said
    asked = len(scene.server.log)
    assert asked <= 20 + 2 * CONNECTIONS
    scene.check_secrets()
    assert scene.run()[0] == 0
    scene.check_files()
    scene.check_repeats(at_most=CONNECTIONS)


@pytest.mark.slow
def test_a_waiting_process_locks_the_folder_and_can_be_interrupted(make_scene):
    scene = make_scene(
        ALL_KINDS,
        lambda *now: Fault(429, headers={"Retry-After": "60"}) if now[-1] > 20 else None,
    )
    process = scene.start(patience=600)
    scene.wait_for_requests(22)
    asked = len(scene.server.log)
    status, said = scene.run()
    assert status == 2
    assert f"Another retrieve is running in {str(scene.out)!r}" in said
    assert len(scene.server.log) <= asked + CONNECTIONS
    start = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=10)
    assert time.monotonic() - start < 8
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert KEY not in out + errors
    scene.server.plan = None
    assert scene.run()[0] == 0
    scene.check_files()
    scene.check_repeats(at_most=CONNECTIONS)


@pytest.mark.parametrize("content", [b"no database, and long enough to be sure", None])
def test_a_damaged_journal_is_reported_and_loses_no_poster(make_scene, content):
    scene = make_scene()
    scene.run()
    journal = scene.out / "retrieval.sqlite"
    whole = journal.read_bytes()
    journal.write_bytes(content or whole[:4096] + bytes(len(whole) - 4096))
    before = len(scene.server.log)
    status, said = scene.run()
    assert status == 0
    assert "retrieval.sqlite' was damaged" in said
    scene.check_files()
    again = [entry.path for entry in scene.server.log[before:] if "/t/p/" in entry.path]
    assert again == [movie.poster() for movie in ALL_KINDS if movie.kind == "lost poster"]


def test_a_damaged_journal_does_not_mix_sizes(make_scene):
    scene = make_scene(PLAIN)
    scene.run()
    (scene.out / "retrieval.sqlite").write_bytes(b"no database, and long enough to be sure")
    assert scene.run(poster_size="w92")[0] == 0
    assert scene.rows() == [expected_row(movie, "w92") for movie in PLAIN]
    for movie in PLAIN:
        assert (scene.out / movie.file("w92")).read_bytes() == draw_poster(movie.poster("w92"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"movielens": "nowhere"}, "'nowhere' does not exist"),
        ({"movielens": "."}, "has no movies.csv"),
        ({"rate": 0}, "--rate"),
        ({"links": "nowhere.csv"}, "nowhere.csv"),
        ({"key_file": "nowhere.txt"}, "file of --key-file cannot be read"),
        ({"key_file": KEY}, "and not the key itself"),
        ({"key_file": TOKEN}, "and not the key itself"),
        ({"key": KEY}, "TMDB_API_KEY"),
        ({"api_key": KEY}, "TMDB_API_KEY"),
        ({"token": TOKEN}, "TMDB_API_KEY"),
        ({"bearer_token": TOKEN}, "TMDB_API_KEY"),
        ({"out": "mine.txt"}, "mine.txt"),
        ({"api_url": "ftp://tmdb.example"}, "ftp://tmdb.example"),
    ],
    ids=lambda value: str(value),
)
def test_a_wrong_option_is_reported_in_one_sentence_with_status_2(
    make_scene, monkeypatch, options, message
):
    scene = make_scene(PLAIN)
    (scene.folder / "empty").mkdir()
    monkeypatch.chdir(scene.folder / "empty")
    Path("mine.txt").write_text("do not touch", encoding="utf-8")
    status, said = scene.run(**options)
    assert status == 2
    assert said.startswith("error: ")
    assert message in said
    assert said.count("\n") == 1
    assert not scene.server.log


@pytest.mark.parametrize("value", [None, "", "  ", "a b", "a\nb"])
def test_a_key_is_required(make_scene, monkeypatch, value):
    scene = make_scene(PLAIN)
    monkeypatch.delenv("TMDB_API_KEY")
    if value is not None:
        monkeypatch.setenv("TMDB_API_KEY", value)
    status, said = scene.run()
    assert status == 2
    assert "TMDB_API_KEY" in said
    assert not scene.server.log


def test_the_summary_lists_the_gaps_and_their_reasons(make_scene):
    scene = make_scene()
    _, said = scene.run()
    for reason, count in {
        "movies": 24,
        "with poster": 19,
        "not on TMDB": 2,
        "no link to TMDB or IMDb": 1,
        "no poster on TMDB": 1,
        "poster not found (404)": 1,
        "no release date on TMDB": 1,
    }.items():
        assert re.search(rf"^{re.escape(reason)} +{count}\b", said, re.MULTILINE), said
    with (scene.out / "missing.csv").open(encoding="utf-8", newline="") as file:
        missing = {int(row["movieId"]): row["reason"] for row in csv.DictReader(file)}
    kinds = {movie.kind: movie.movie_id for movie in ALL_KINDS}
    assert missing == {
        kinds["gone"]: "not on TMDB",
        kinds["unknown"]: "not on TMDB",
        kinds["no ids"]: "no link to TMDB or IMDb",
        kinds["no poster"]: "no poster on TMDB",
        kinds["no date"]: "no release date on TMDB",
        kinds["lost poster"]: "poster not found (404)",
    }


def test_progress_can_be_hidden(make_scene):
    scene = make_scene(PLAIN)
    assert "Retrieving" in scene.run()[1]
    assert "Retrieving" not in scene.run(quiet=True)[1]


def test_movies_with_one_imdb_id_are_asked_for_once(make_scene):
    movie = ALL_KINDS[0]
    scene = make_scene([movie, dataclasses.replace(movie, movie_id=99)])
    assert scene.run()[0] == 0
    scene.check_asked_once()
    first, second = scene.rows()
    assert second == first | {"movieId": "99"}


def test_netrc_is_ignored(make_scene, monkeypatch):
    scene = make_scene(PLAIN)
    netrc = scene.folder / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password mine\n", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(netrc))
    assert scene.run()[0] == 0
    # The check includes that no key was sent to the image host.
    scene.check_files()


def test_no_proxy_is_used_for_this_machine(make_scene, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    scene = make_scene(PLAIN)
    assert scene.run()[0] == 0
    scene.check_files()


def test_a_folder_that_cannot_be_written_is_reported_in_one_sentence(make_scene):
    scene = make_scene(PLAIN)
    scene.run(limit=1)
    shutil.rmtree(scene.out / "posters")
    (scene.out / "posters").write_bytes(b"a file")
    status, said = scene.run()
    assert status == 2
    error = r"^error: The data folder '.*' cannot be written \(.*File exists.*\)\. .*\n\Z"
    assert re.search(error, said, re.MULTILINE)
