"""Many requests at the same time, limits, counts, and who may send requests."""

import asyncio
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from multimodal_ensemble import FeatureStore, MultimodalEnsemble
from multimodal_ensemble.exceptions import ModalityError
from multimodal_ensemble.images import FetchOptions
from multimodal_ensemble.serving import ServingLimits, make_app
from multimodal_ensemble.serving._batcher import Batcher
from multimodal_ensemble.serving._request_error import RequestError
from tests.serving.conftest import as_uri, open_client
from tests.serving.test_predict import post
from tests.toys import ArrayEncoder, draw_labels, draw_pixels, encode_image


class Recorder:
    """A model that notes its calls and waits for permission; a row is one number."""

    def __init__(self):
        self.calls, self.go, self.batches = [], threading.Event(), []

    def score(self, rows):
        self.go.wait(5)
        self.calls.append(list(rows))
        for position, row in enumerate(rows):
            if row == "bad":
                message = f"row {position}"
                raise ModalityError(message, row=position)
            if row == "unknown":
                raise RuntimeError
            if row == "large":
                raise MemoryError
        return np.array([[float(row)] for row in rows])

    def make(self, **options):
        given = {"max_rows": 8, "max_wait": 0.2, "max_jobs": 20}
        return Batcher(
            self.score, **(given | options), observe=lambda *counts: self.batches.append(counts)
        )


@pytest.fixture
def recorder():
    return Recorder()


def test_what_waits_is_scored_together(recorder):
    batcher = recorder.make()
    first = batcher.score([0])
    while batcher.n_waiting:
        time.sleep(0.001)
    others = [batcher.score([number, number + 0.5]) for number in range(1, 7)]
    recorder.go.set()
    assert first.result(5).tolist() == [[0.0]]
    assert [future.result(5).tolist() for future in others] == [
        [[number], [number + 0.5]] for number in range(1, 7)
    ]
    assert [len(call) for call in recorder.calls] == [1, 8, 4]
    assert recorder.batches == [(1, 1), (4, 8), (2, 4)]
    batcher.stop()


def test_a_large_request_is_scored_alone(recorder):
    batcher = recorder.make()
    recorder.go.set()
    assert batcher.score([1] * 20).result(5).shape == (20, 1)
    batcher.stop()


@pytest.mark.parametrize("bad", ["bad", "unknown", "large"])
def test_a_bad_row_loses_no_other_request(recorder, bad):
    batcher = recorder.make()
    first = batcher.score([0])
    while batcher.n_waiting:
        time.sleep(0.001)
    rows = [[1, 2], [3, bad], [4], [bad], [5]]
    futures = [batcher.score(each) for each in rows]
    recorder.go.set()
    assert first.result(5).tolist() == [[0]]
    for each, future in zip(rows, futures, strict=True):
        if bad not in each:
            assert future.result(5)[:, 0].tolist() == each
            continue
        error = future.exception(5)
        assert error.status == {"bad": 422, "unknown": 500, "large": 503}[bad]
        # The row is that of the request, not of the batch.
        assert error.row == (each.index(bad) if bad == "bad" else None)
    batcher.stop()


def test_a_cancelled_request_is_not_scored(recorder):
    batcher = recorder.make()
    batcher.score([0])
    while batcher.n_waiting:
        time.sleep(0.001)
    cancelled, kept = batcher.score([1]), batcher.score([2])
    assert cancelled.cancel()
    recorder.go.set()
    assert kept.result(5).tolist() == [[2]]
    assert recorder.calls == [[0], [2]]
    batcher.stop()


def test_a_full_queue_and_a_stopping_server_refuse(recorder):
    batcher = recorder.make(max_jobs=2)
    batcher.score([0])
    while batcher.n_waiting:
        time.sleep(0.001)
    waiting = [batcher.score([1]), batcher.call(lambda: "called")]
    with pytest.raises(RequestError, match="2 requests wait already"):
        batcher.score([3])
    stopping = threading.Thread(target=batcher.stop)
    stopping.start()
    while not batcher.is_stopping:
        time.sleep(0.001)
    with pytest.raises(RequestError, match="the server is shutting down"):
        batcher.score([4])
    recorder.go.set()
    stopping.join(5)
    # What waited is finished.
    assert [future.result(0) for future in waiting] == [[[1.0]], "called"]


@pytest.mark.slow
def test_hundreds_of_requests_at_the_same_time(client, row, table):
    """One in ten is malformed: none is lost, and each has its own answer."""
    uris = [as_uri(encode_image(pixels)) for pixels in draw_pixels(6, 9, 9, 3)]
    rows = [row | {"poster": uris[number % 6], "year": 1950 + number % 50} for number in range(20)]
    wanted = [post(client, [each]).json()["rows"][0]["scores"] for each in rows]

    def send(number):
        if number % 10 == 3:
            bad = (b"{", b"[]", b'{"rows": [{}]}')[number // 10 % 3]
            headers = {"Content-Type": "application/json"}
            return client.post("/predict", content=bad, headers=headers)
        return post(client, [rows[number % 20]])

    before = count(client, "batch_requests_sum")
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(send, range(180)))
    for number, answer in enumerate(answers):
        if number % 10 == 3:
            assert answer.status_code in (400, 422)
        else:
            assert answer.status_code == 200
            found = answer.json()["rows"][0]["scores"]
            assert found == pytest.approx(wanted[number % 20], abs=1e-5)
    assert count(client, "batch_requests_sum") - before == 162
    assert count(client, "batch_requests_count") < count(client, "batch_requests_sum")
    assert count(client, "requests_in_flight") == 0


def count(client, name):
    text = client.get("/metrics").text
    return float(re.search(rf"^multimodal_ensemble_{name} (.*)$", text, re.MULTILINE)[1])


def test_metrics_are_in_the_format_of_prometheus(client, row):
    post(client, [row])
    post(client, [])
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = answer.text.splitlines()
    sample = re.compile(r'[a-z_]+(\{([a-z]+="[^"]*",?)+\})? [0-9.]+')
    assert all(line.startswith("# ") or sample.fullmatch(line) for line in lines)
    name = "multimodal_ensemble_requests_total"
    for status in (200, 422):
        found = [
            line
            for line in lines
            if line.startswith(f'{name}{{endpoint="predict",status="{status}"')
        ]
        assert len(found) == 1
        assert int(found[0].split()[1]) >= 1
    buckets = [
        int(line.split()[1]) for line in lines if "seconds_bucket" in line and "predict" in line
    ]
    assert buckets == sorted(buckets)
    assert len({line.split("{")[0] for line in lines if line.startswith("# TYPE")}) == 6


def test_health_lists_labels_and_columns(client):
    answer = client.get("/health").json()
    assert answer["status"] == "ok"
    assert answer["labels"] == ["Drama", "War", "Western"]
    assert answer["columns"]["poster"] == {"kind": "image", "is_required": False}
    assert answer["columns"]["country"] == {"kind": "category", "is_required": True}


def test_the_openapi_document_describes_the_columns(client):
    document = client.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    row = document["components"]["schemas"]["Row"]
    assert set(row["properties"]) == {"poster", "tags", "year", "minutes", "country"}
    assert row["required"] == ["year", "minutes", "country"]
    assert set(document["paths"]) == {"/predict", "/explain", "/health", "/metrics"}
    page = client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "<th scope='row'>country</th>" in page.text


class SlowModel:
    """Makes a model wait, so that requests pile up."""

    def __init__(self, monkeypatch, seconds):
        original = MultimodalEnsemble.predict_proba

        def predict_proba(estimator, X):
            time.sleep(seconds)
            return original(estimator, X)

        monkeypatch.setattr(MultimodalEnsemble, "predict_proba", predict_proba)


def test_too_many_requests_are_refused(model, row, monkeypatch):
    SlowModel(monkeypatch, 0.3)
    app = make_app(model, limits=ServingLimits(max_concurrency=2))
    with open_client(app) as client, ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: post(client, [row]), range(6)))
        refused = [answer for answer in answers if answer.status_code == 429]
        assert len(refused) == 4
        assert (
            refused[0].json()["error"]["reason"] == "2 requests are being answered; try again later"
        )
        assert refused[0].headers["retry-after"] == "1"
        assert client.get("/health").status_code == 200


def test_a_request_that_takes_too_long_is_given_up(model, row, monkeypatch):
    SlowModel(monkeypatch, 0.4)
    with open_client(make_app(model, limits=ServingLimits(timeout=0.2))) as client:
        answer = post(client, [row])
        assert answer.status_code == 503
        reason = "the request has not been answered within 0.2 seconds"
        assert answer.json()["error"]["reason"] == reason
        assert count(client, "requests_in_flight") == 0


def test_a_body_that_does_not_arrive_is_given_up(model):
    app = make_app(model, limits=ServingLimits(timeout=0.1))
    sent = []

    async def receive():
        await asyncio.sleep(10)

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/predict",
        "raw_path": b"/predict",
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"x"), (b"content-type", b"application/json")],
    }
    asyncio.run(app(scope, receive, send))
    assert sent[0]["status"] == 408
    assert b"has not arrived within 0.1 seconds" in sent[1]["body"]


def test_an_error_of_the_program_is_no_traceback(client, row, monkeypatch, caplog):
    def fail(*arguments):
        message = "a secret"
        raise RuntimeError(message)

    monkeypatch.setattr(MultimodalEnsemble, "_open_rows", fail)
    for path in ("/predict", "/explain"):
        answer = post(client, [row], path)
        assert answer.status_code == 500
        assert "secret" not in answer.text
        assert "Traceback" not in answer.text
    assert "a secret" in caplog.text
    monkeypatch.setattr("multimodal_ensemble.serving._read_rows.RowReader.read", fail)
    answer = post(client, [row])
    assert answer.json()["error"] == {
        "status": 500,
        "reason": "the server failed; its log says why",
    }


def test_pages_of_other_servers_cannot_send_requests(model, row):
    app = make_app(model, allowed_hosts=["localhost", "127.0.0.1", "::1"])
    with open_client(app) as client:
        assert post(client, [row], headers={"Host": "attacker.example"}).status_code == 403
        assert post(client, [row], headers={"Host": ""}).status_code == 403
        for host in ("localhost:8000", "127.0.0.1", "LOCALHOST", "[::1]:8000"):
            assert client.get("/health", headers={"Host": host}).status_code == 200, host
        host = {"Host": "localhost:8000"}
        for origin in ("https://attacker.example", "null", "http://localhost:9000"):
            answer = post(client, [row], headers=host | {"Origin": origin})
            assert answer.status_code == 403, origin
        own = host | {"Origin": "http://localhost:8000"}
        assert post(client, [row], headers=own).status_code == 200


def test_nothing_is_written(model, row, tmp_path, monkeypatch):
    """Neither uploads of some megabytes nor their features, although the model has a store."""
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr(model, "store", FeatureStore(tmp_path / "store"))
    opened = []

    def watch(event, arguments):
        if event == "open" and arguments[2] & 3:
            opened.append(arguments[0])

    from tests.serving.test_image_values import WATCHERS

    content = encode_image(draw_pixels(1100, 1100, 3))
    assert len(content) > 3 * 2**20
    data = {"year": "1", "minutes": "1", "country": "fr"}
    with open_client(make_app(model)) as client:
        client.post("/predict", data=data, files={"poster": ("a.png", content)})
        WATCHERS.append(watch)
        for path in ("/predict", "/explain"):
            answer = client.post(path, data=data, files={"poster": ("a.png", content)})
            assert answer.status_code == 200
        WATCHERS.remove(watch)
    assert [name for name in opened if not str(name).endswith(".pyc")] == []
    assert list((tmp_path / "temporary").iterdir()) == []
    assert not [*(tmp_path / "store").rglob("*.npy")]


def test_an_encoder_of_another_package_must_be_trusted(monkeypatch, caplog):
    encoder = ArrayEncoder("vector")
    options = {"random_state": 1, "verbose": 0}
    rows = {"vector": [[float(row % 2), float(row % 3)] for row in range(24)]}
    ensemble = MultimodalEnsemble([encoder], **options).fit(rows, draw_labels())
    with pytest.raises(ValueError, match=r"trusted_columns=\['vector'\]"):
        make_app(ensemble)
    with open_client(make_app(ensemble, trusted_columns=["vector"])) as client:
        answer = post(client, [{"vector": [1, 2]}])
        wanted = ensemble.predict_proba({"vector": [[1.0, 2.0]]})
        assert [*answer.json()["rows"][0]["scores"].values()] == pytest.approx(wanted[0].tolist())
        # Its errors are about a value; other ones are faults of the server.
        for path in ("/predict", "/explain"):
            answer = post(client, [{"vector": ["a secret", "b"]}], path)
            reason = "the encoder of vector cannot read a value; the server's log says why"
            assert answer.json()["error"] == {"status": 422, "reason": reason, "column": "vector"}
        assert "a secret" in caplog.text
        assert "Traceback" in caplog.text
        for error in (
            KeyError("a secret"),
            AttributeError("no split", obj=1),
            OverflowError("infinity is no whole number"),
        ):
            monkeypatch.setattr(ArrayEncoder, "encode", raise_in_method(error))
            assert post(client, [{"vector": [1, 2]}]).status_code == 422
        lacking = AttributeError("no mean_", obj=ensemble.encoders_[0])
        monkeypatch.setattr(ArrayEncoder, "encode", raise_in_method(lacking))
        assert post(client, [{"vector": [1, 2]}]).status_code == 500
        monkeypatch.setattr(ArrayEncoder, "encode", fail_with(RuntimeError("a fault")))
        assert post(client, [{"vector": [1, 2]}]).status_code == 500
        monkeypatch.setattr(MultimodalEnsemble, "_open_rows", fail_with(ValueError("a fault")))
        assert post(client, [{"vector": [1, 2]}]).status_code == 500


def fail_with(error):
    def fail(*arguments, **options):
        raise error

    return fail


def raise_in_method(error):
    def encode(self, values):
        raise error

    return encode


def test_a_model_must_be_fitted():
    with pytest.raises(ValueError, match="not fitted"):
        make_app(MultimodalEnsemble())


def test_a_malformed_origin_is_refused(client, row):
    for origin in ("http://[", "http://[::1]x", "//testserver", "http://testserver/x"):
        assert post(client, [row], headers={"Origin": origin}).status_code == 403, origin


def test_a_wrong_method_is_answered_with_those_allowed(client):
    assert client.get("/predict").headers["allow"] == "POST"
    assert "GET" in client.post("/health").headers["allow"]


def test_an_application_may_be_started_again(model, row):
    app = make_app(model)
    for _ in range(2):
        with open_client(app) as client:
            assert post(client, [row]).status_code == 200


@pytest.mark.parametrize("options", [{"max_wait": np.inf}, {"timeout": np.inf}, {"timeout": 0}])
def test_seconds_are_finite(options):
    """The thread of the model cannot wait for an infinite time."""
    (name,) = options
    with pytest.raises(ValueError, match=f"{name} must be a finite number of seconds"):
        ServingLimits(**options)
    assert ServingLimits(max_wait=0).max_wait == 0


def test_requests_that_were_given_up_do_not_fill_the_queue(recorder):
    batcher = recorder.make(max_jobs=2)
    batcher.score([0])
    while batcher.n_waiting:
        time.sleep(0.001)
    assert all(batcher.score([number]).cancel() for number in (1, 2))
    kept = batcher.score([3])
    recorder.go.set()
    assert kept.result(5).tolist() == [[3]]
    batcher.stop()


def test_a_slow_address_delays_its_own_request_alone(model, row, monkeypatch):
    """Once its request is given up, no further image of it is fetched."""
    asked, go, before = [], threading.Event(), {*threading.enumerate()}

    def fetch(address, options):
        asked.append(address)
        go.wait(5)
        raise OSError

    monkeypatch.setattr("multimodal_ensemble.serving._image_values.fetch_file", fetch)
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    app = make_app(model, fetch=FetchOptions(), limits=ServingLimits(timeout=0.5))
    with open_client(app) as client, ThreadPoolExecutor(1) as pool:
        rows = [row | {"poster": f"https://example.org/{number}"} for number in range(2)]
        slow = pool.submit(post, client, rows)
        while not asked:
            time.sleep(0.001)
        assert post(client, [row]).status_code == 200
        assert slow.result(5).status_code == 503
        go.set()
    for thread in {*threading.enumerate()} - before:
        thread.join(5)
    assert asked == ["https://example.org/0"]
