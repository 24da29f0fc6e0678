"""The command ``retrieve`` against a local server with all kinds of faults."""

import email.utils
import gzip
import json
import re
import socket
import time
from pathlib import Path

import pytest

from .tmdb_movies import details_answer, draw_poster, expected_row, make_movies, needed_paths
from .tmdb_scene import ALL_KINDS, CONFIGURATION, CONNECTIONS, PLAIN
from .tmdb_server import TOKEN, Fault, TmdbServer

HTML = {"Content-Type": "text/html; charset=utf-8"}
PAGE = b"<!DOCTYPE html><html><body>Please log in to this network.</body></html>"
# Faulty answers of any kind, and then faults of JSON answers and of posters alone.
ANY_FAULTS = {
    "500": Fault(500),
    "502": Fault(502),
    "503": Fault(503, body=b"<html>Offline</html>", headers=HTML),
    "504": Fault(504),
    "429": Fault(429),
    "429, at once": Fault(429, headers={"Retry-After": "0"}),
    "429, nonsense": Fault(429, headers={"Retry-After": "soon"}),
    "429, in the past": Fault(429, headers={"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}),
    "reset before the answer": Fault(reset_at=-1),
    "reset after the headers": Fault(reset_at=0),
    "reset in the middle": Fault(reset_at=100),
    "end before the answer": Fault(end_at=-1),
    "end in the middle": Fault(end_at=100),
    "HTML": Fault(body=PAGE, headers=HTML),
    "HTML, said to be right": Fault(body=PAGE),
    "nothing": Fault(body=b""),
    "204": Fault(204, body=b""),
    "half a chunk": Fault(
        raw=b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{"id": 7'
    ),
    "another protocol": Fault(raw=b"SSH-2.0-OpenSSH_9.6\r\n"),
    "no number for a status": Fault(raw=b"HTTP/1.1 abc OK\r\n\r\n"),
    "headers without end": Fault(raw=b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 5000),
    "too late": Fault(delay=0.8),
}
JSON_FAULTS = {
    "nothing, said in HTML": Fault(404, body=PAGE, headers=HTML),
    "null": Fault(body=b"null"),
    "a list": Fault(body=b"[]"),
    "a text": Fault(body=b'"movie"'),
    "half": Fault(body=b'{"id": 5'),
    "no UTF-8": Fault(body=b'{"original_language": "\xff"}'),
    "no object of a movie": Fault(body=b"{}"),
    "an error with status 200": Fault(
        body=b'{"success": false, "status_code": 11, "status_message": "Bad."}'
    ),
    "a number": Fault(body=b"1e999"),
    "deep": Fault(body=b"[" * 100_000),
}
POSTER_FAULTS = {
    "half an image": Fault(body=draw_poster("/t/p/w185/half")[:2500]),
    "text": Fault(body=b"not an image, said to be one"),
    "nothing but a header": Fault(body=b"\xff\xd8\xff\xe0\x00\x10JFIF\x00"),
    "right, said to be text": Fault(headers={"Content-Type": "text/plain"}),
    "JSON": Fault(body=b"{}", headers={"Content-Type": "application/json"}),
}


@pytest.mark.parametrize("fault", ANY_FAULTS.values(), ids=ANY_FAULTS)
def test_a_single_fault_is_retried(make_scene, fault):
    movie = PLAIN[1]
    paths = [movie.details, movie.poster(), CONFIGURATION]
    scene = make_scene(PLAIN, {path: [fault] for path in paths})
    status, said = scene.run(timeout=0.5)
    assert status == 0, said
    scene.check_files()
    scene.check_asked_once()
    assert scene.asked(faulty=True) == dict.fromkeys(paths, 1)


@pytest.mark.parametrize("fault", JSON_FAULTS.values(), ids=JSON_FAULTS)
def test_json_of_a_wrong_shape_is_retried(make_scene, fault):
    movie, other = PLAIN[1], ALL_KINDS[0]
    paths = [movie.details, other.find, CONFIGURATION]
    scene = make_scene([*PLAIN, other], {path: [fault] for path in paths})
    status, said = scene.run()
    assert status == 0, said
    scene.check_files()
    scene.check_asked_once()


@pytest.mark.parametrize("fault", POSTER_FAULTS.values(), ids=POSTER_FAULTS)
def test_a_poster_that_is_not_an_image_is_retried(make_scene, fault):
    scene = make_scene(PLAIN, {PLAIN[1].poster(): [fault]})
    status, said = scene.run()
    assert status == 0, said
    scene.check_files()


@pytest.mark.parametrize(
    "images",
    [
        {"poster_sizes": ["w185"]},
        {"secure_base_url": None, "poster_sizes": ["w185"]},
        {"secure_base_url": "http://other.example/t/p/", "poster_sizes": ["w185"]},
        {"secure_base_url": "file:///t/p/", "poster_sizes": ["w185"]},
        {"secure_base_url": "https://other.example/t/p/", "poster_sizes": [185]},
    ],
    ids=str,
)
def test_an_invalid_configuration_stops_the_command(make_scene, images):
    body = json.dumps({"images": images}).encode()
    scene = make_scene(PLAIN, {CONFIGURATION: Fault(body=body)})
    status, said = scene.run(attempts=2)
    assert status == 1
    assert "(JSON without a proper" in said
    assert [entry.path for entry in scene.server.log] == [CONFIGURATION] * 2


def test_answers_in_chunks_are_read(make_scene):
    answer = json.dumps(details_answer(PLAIN[1])).encode()
    parts = [answer[:100], answer[100:], b""]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    scene = make_scene(PLAIN, {PLAIN[1].details: Fault(raw=head + chunks)})
    assert scene.run()[0] == 0
    scene.check_files()


def changed(**values):
    """Return the answer about a movie with changed values."""
    answer = {"id": PLAIN[1].tmdb_id, "original_language": "en", "release_date": "1999-01-01"}
    answer |= {"poster_path": None} | values
    return json.dumps(answer).encode()


@pytest.mark.parametrize(
    "body",
    [
        changed(poster_path=5),
        changed(poster_path=["/a.jpg"]),
        changed(poster_path="//other.example/a.jpg"),
        changed(poster_path="/../../3/account"),
        changed(poster_path="http://other.example/a.jpg"),
        changed(original_language=7),
        changed(release_date=1999),
        changed(release_date="someday"),
        changed(id="7"),
        changed(id=PLAIN[0].tmdb_id),
    ],
    ids=lambda body: json.dumps(json.loads(body) | {}, sort_keys=True)[:90],
)
def test_values_of_a_wrong_type_are_rejected(make_scene, body):
    scene = make_scene(PLAIN, {PLAIN[1].details: Fault(body=body)})
    status, said = scene.run(attempts=2)
    assert status == 1, said
    assert all(path in needed_paths(PLAIN) for path in scene.asked())
    scene.server.plan = None
    assert scene.run()[0] == 0
    scene.check_files()


@pytest.mark.parametrize(
    "fault",
    [Fault(500), Fault(reset_at=-1), Fault(body=PAGE, headers=HTML), Fault(end_at=50)],
    ids=["500", "reset", "HTML", "half"],
)
@pytest.mark.parametrize("of", ["details", "poster"])
def test_permanent_faults_are_reported_and_asked_by_the_next_run(make_scene, fault, of):
    movie = PLAIN[1]
    path = movie.poster() if of == "poster" else movie.details
    scene = make_scene(PLAIN, {path: fault})
    status, said = scene.run(attempts=3)
    assert status == 1, said
    assert scene.asked(faulty=True) == {path: 3}
    answered = {"release_year", "language"} if of == "poster" else set()
    expected = [expected_row(movie) for movie in PLAIN]
    expected[1] |= {
        key: "" for key in ("release_year", "language", "poster_file") if key not in answered
    }
    scene.check_files(expected)
    scene.server.plan = None
    status, said = scene.run()
    assert status == 0, said
    scene.check_files()
    scene.check_repeats(at_most=0)


@pytest.mark.parametrize("code", [400, 403, 405, 410])
def test_permanent_refusals_are_not_retried(make_scene, code):
    path = PLAIN[1].details
    scene = make_scene(PLAIN, {path: Fault(code)})
    status, said = scene.run()
    assert status == 1
    assert f"not answered: HTTP status {code}" in said
    assert scene.asked(faulty=True) == {path: 1}


@pytest.mark.slow
def test_an_outage_stops_the_command(make_scene):
    movies = make_movies(130)
    scene = make_scene(movies, lambda path, *_: Fault(503) if path != CONFIGURATION else None)
    status, said = scene.run(attempts=2)
    assert status == 1
    assert re.search(r"did not answer 5\d questions in a row \(HTTP status 503\)", said)
    assert len(scene.server.log) <= 2 * (50 + 2 * CONNECTIONS) + 1
    scene.server.plan = None
    assert scene.run()[0] == 0
    scene.check_files()


@pytest.mark.parametrize("seconds", [86_400, "9" * 400])
def test_a_pause_beyond_the_patience_stops_the_command(make_scene, seconds):
    path = PLAIN[1].details
    scene = make_scene(PLAIN, {path: Fault(429, headers={"Retry-After": str(seconds)})})
    status, said = scene.run()
    assert status == 1
    assert "asks to wait" in said
    assert scene.asked(faulty=True) == {path: 1}


@pytest.mark.parametrize("headers", [{}, {"Retry-After": "0"}], ids=["unsaid", "at once"])
def test_endless_refusals_exhaust_the_patience(make_scene, headers):
    path = PLAIN[1].details
    scene = make_scene(PLAIN, {path: Fault(429, headers=headers)})
    status, said = scene.run(patience=0.3)
    assert status == 1
    assert "run the same command again" in said
    scene.server.plan = None
    assert scene.run()[0] == 0
    scene.check_files()


def test_a_server_that_is_down_is_reported(make_scene):
    scene = make_scene(PLAIN)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/3"
        status, said = scene.run(api_url=url, attempts=2)
    assert status == 1
    assert "no connection" in said
    assert scene.run()[0] == 0
    scene.check_files()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "form"), [(429, "seconds"), (503, "seconds"), (429, "date")], ids=str
)
def test_no_request_is_sent_during_a_pause(make_scene, status, form):
    pause = 1 if form == "seconds" else 2
    limits = []

    def storm(_path, _nth, total):
        if not 8 <= total < 8 + CONNECTIONS:
            return None
        until = time.time() + pause
        limits.append((time.monotonic(), pause if form == "seconds" else int(until) - time.time()))
        value = str(pause) if form == "seconds" else email.utils.formatdate(int(until), usegmt=True)
        return Fault(status, headers={"Retry-After": value})

    # A pause of the API applies only to the API, so the plan contains details alone.
    scene = make_scene(make_movies(20)[10:], storm)
    assert scene.run()[0] == 0
    scene.check_files()
    scene.check_asked_once()
    start, seconds = limits[0]
    # Pending requests arrive shortly after the answer.
    asked = [entry for entry in scene.server.log if "/3/" in entry.path and not entry.is_faulty]
    times = [entry.at - start for entry in asked]
    assert not [at for at in times if 0.3 < at < seconds - 0.01]
    assert [at for at in times if at > seconds]


def test_everything_is_retrieved_after_many_refusals(make_scene):
    def storm(_path, _nth, total):
        return Fault(429, headers={"Retry-After": "0"}) if 5 <= total < 35 else None

    scene = make_scene(ALL_KINDS, storm)
    status, said = scene.run()
    assert status == 0, said
    scene.check_files()
    scene.check_asked_once()


def test_the_rate_is_limited(make_scene):
    movies = make_movies(40)[10:]
    scene = make_scene(movies)
    assert scene.run(rate=40)[0] == 0
    times = [entry.at for entry in scene.server.log if "/3/" in entry.path]
    assert len(times) == 31
    assert times[-1] - times[0] >= 0.95 * 30 / 40


@pytest.mark.parametrize(
    "fault", [Fault(trickle_head=0.1), Fault(trickle=0.05)], ids=["headers", "body"]
)
def test_slow_answers_end_with_the_timeout(make_scene, fault):
    scene = make_scene(PLAIN, {PLAIN[1].poster(): [fault]})
    start = time.monotonic()
    status, said = scene.run(timeout=0.3)
    assert status == 0, said
    # The headers alone would take eight seconds.
    assert time.monotonic() - start < 5
    scene.check_files()


@pytest.mark.parametrize(
    ("of", "packed"), [("details", True), ("poster", False)], ids=["gzip", "plain"]
)
def test_a_huge_answer_is_not_read_completely(make_scene, of, packed):
    path = PLAIN[1].poster() if of == "poster" else PLAIN[1].details
    if packed:
        # Parts that are unpacked one after another.
        body = gzip.compress(bytes(20 << 20), 1) * 15
        fault = Fault(body=body, headers={"Content-Encoding": "gzip"})
    else:
        fault = Fault(body=bytes(300 << 20))
    scene = make_scene(PLAIN, {path: [fault]})
    before = peak_memory()
    status, said = scene.run()
    assert status == 0, said
    scene.check_files()
    assert scene.server.log[0].n_bytes < 64 << 20
    assert peak_memory() - before < 200 << 10


def peak_memory():
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])


@pytest.mark.parametrize("token", [False, True], ids=["key", "token"])
@pytest.mark.parametrize("of", ["details", "poster"])
def test_redirections_are_not_followed(make_scene, monkeypatch, token, of):
    if token:
        monkeypatch.delenv("TMDB_API_KEY")
        monkeypatch.setenv("TMDB_BEARER_TOKEN", TOKEN)
    path = PLAIN[1].poster() if of == "poster" else PLAIN[1].details
    with TmdbServer(PLAIN) as other:
        away = other.root.replace("127.0.0.1", "localhost") + path
        scene = make_scene(PLAIN, {path: [Fault(302, headers={"Location": away})]})
        status, said = scene.run()
    assert other.log == []
    assert status == 0, said
    scene.check_files()
