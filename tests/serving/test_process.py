"""The server as a process of its own."""

import json
import re
import signal
import socket
import threading
import time
from urllib.request import Request, urlopen

import pytest

from multimodal_ensemble.serving import make_app, serve
from tests.fresh_process import FreshProcess
from tests.serving.test_server import SlowModel

# A model that takes a while, so that a request is in flight at the signal.
SCRIPT = """
import sys, time
from multimodal_ensemble import MultimodalEnsemble
from multimodal_ensemble.serving import serve
original = MultimodalEnsemble.predict_proba
def predict_proba(estimator, X):
    if len(X) == 2:
        print("predicting", flush=True)
        time.sleep(1)
    return original(estimator, X)
MultimodalEnsemble.predict_proba = predict_proba
serve(sys.argv[1], port=0, report=lambda line: print(line, flush=True))
print("ended", flush=True)
"""


def send(address, rows):
    body = json.dumps({"rows": rows}).encode()
    headers = {"Content-Type": "application/json"}
    with urlopen(Request(f"{address}/predict", body, headers), timeout=60) as answer:
        return json.load(answer)


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_requests_in_flight_are_finished_at_a_signal(model, row, tmp_path, how):
    path = tmp_path / "genres.mme"
    model.save(path)
    with FreshProcess(SCRIPT, path) as process:
        (address,) = re.findall(r"at (http://127\.0\.0\.1:\d+)$", process.stdout.readline().strip())
        wanted = send(address, [row])["rows"][0]
        answers = []
        thread = threading.Thread(target=lambda: answers.append(send(address, [row, row])))
        thread.start()
        process.wait_for("predicting")
        process.send_signal(how)
        thread.join(30)
        rest = process.stdout.read()
        status = process.wait()
    assert [each["rows"][0]["labels"] for each in answers] == [wanted["labels"]]
    if how == signal.SIGTERM:
        assert (status, rest) == (0, "ended\n")
    else:
        # Ctrl-C goes on to the caller.
        assert "KeyboardInterrupt" in rest
        assert "ended" not in rest


def test_a_port_that_is_taken(model):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="Address already in use"):
            serve(model, port=port)


def test_the_server_in_a_thread(model, row, monkeypatch):
    """Its address is local, and the end of the server finishes what has begun."""
    SlowModel(monkeypatch, 0.2)
    servers, lines = [], []
    original = __import__("uvicorn").Server.run

    def run(server, **options):
        servers.append(server)
        original(server, **options)

    monkeypatch.setattr("uvicorn.Server.run", run)
    thread = threading.Thread(
        target=serve, args=[model], kwargs={"port": 0, "report": lines.append}
    )
    thread.start()
    while not (servers and servers[0].started):
        time.sleep(0.01)
    (address,) = re.findall(r"^Serving MultimodalEnsemble at (http://127\.0\.0\.1:\d+)$", lines[0])
    assert len(lines) == 1
    answers = []
    sending = threading.Thread(target=lambda: answers.append(send(address, [row])))
    sending.start()
    time.sleep(0.1)
    servers[0].should_exit = True
    sending.join(10)
    thread.join(10)
    assert len(answers[0]["rows"]) == 1
    assert not thread.is_alive()


@pytest.mark.parametrize("port", [-1, 70000])
def test_a_number_that_is_no_port(model, port):
    with pytest.raises(ValueError, match=f"port must be a number from 0 to 65535.*port={port}"):
        serve(model, port=port)


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({}, {"localhost", "127.0.0.1", "::1"}),
        ({"allowed_hosts": ["a.org"]}, {"localhost", "127.0.0.1", "::1", "a.org"}),
        ({"host": "0.0.0.0"}, None),
        (
            {"host": "0.0.0.0", "allowed_hosts": ["a.org"]},
            {"localhost", "127.0.0.1", "::1", "0.0.0.0", "a.org"},
        ),
    ],
)
def test_the_names_of_the_server(model, monkeypatch, options, wanted):
    """A proxy in front of a server on loopback passes on its own name."""
    given = []

    def make(model, *, allowed_hosts, **others):
        given.append(allowed_hosts)
        return make_app(model, allowed_hosts=allowed_hosts, **others)

    monkeypatch.setattr("multimodal_ensemble.serving._serve.make_app", make)
    monkeypatch.setattr("uvicorn.Server.run", lambda *_, **__: None)
    serve(model, port=0, report=lambda _: None, **options)
    assert given[0] == wanted if wanted is None else {*given[0]} == wanted
