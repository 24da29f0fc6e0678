"""The HTTP server on loopback: throughput, latency, malformed requests and memory."""

import base64
import http.client
import io
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from PIL import Image

from benchmarks._figure import Figure
from benchmarks._new_process import ROOT, resident_mib

CLIENTS = (1, 8, 32)
IMAGE_SIZE = 96
N_POSTERS, N_TRAINED = 64, 400
N_REQUESTS, REQUESTS_PER_CLIENT = 10_000, 30
# Each time that `predict_proba` is measured.
SECONDS = 1.5
MALFORMED = (
    b"{",
    b'{"rows": []}',
    b'{"rows": [{"tags": ["a"], "poster": "../../etc/passwd"}]}',
    b'{"rows": [{"tags": ["a"], "poster": "bm8gaW1hZ2U="}]}',
    b'{"rows": [{"tags": "a", "poster": null}]}',
)
TAGS = [f"tag{number}" for number in range(50)]


def make_posters() -> list[bytes]:
    """Return JPEG files of 200 x 300 pixels."""
    rng = np.random.default_rng(0)
    posters = []
    for _ in range(N_POSTERS):
        coarse = rng.integers(0, 256, (15, 10, 3), dtype=np.uint8)
        content = io.BytesIO()
        Image.fromarray(coarse).resize((200, 300)).save(content, "JPEG", quality=85)
        posters.append(content.getvalue())
    return posters


def make_rows(n_rows: int) -> dict[str, list[Any]]:
    """Return a table of posters and tags."""
    posters, rng = make_posters(), np.random.default_rng(1)
    tags = [[str(tag) for tag in rng.choice(TAGS, 5, replace=False)] for _ in range(n_rows)]
    return {"poster": [posters[row % N_POSTERS] for row in range(n_rows)], "tags": tags}


def measure_serving(scale: float) -> Iterable[Figure]:
    """Yield the figures of a server in a process of its own, with clients in this one."""
    rows = make_rows(N_POSTERS)
    bodies = [
        json.dumps(
            {"rows": [{"poster": base64.b64encode(poster).decode("ascii"), "tags": tags}]}
        ).encode()
        for poster, tags in zip(rows["poster"], rows["tags"], strict=True)
    ]
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks._serving", str(max(80, int(N_TRAINED * scale)))],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    ) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        for n_clients in CLIENTS:
            yield _measure_throughput(server, port, bodies, n_clients, scale)
        yield from _measure_many(server, port, bodies, max(100, int(N_REQUESTS * scale)))
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=60)
    yield Figure("exit status of the server after SIGTERM", "0", 0, [server.returncode], details={})


def _measure_throughput(
    server: Any, port: int, bodies: Sequence[bytes], n_clients: int, scale: float
) -> Figure:
    """Return the ratio to `predict_proba`, which the process of the server measures in between."""
    n_requests = n_clients * max(2, int(REQUESTS_PER_CLIENT * scale))
    sent = [bodies[number % len(bodies)] for number in range(n_requests)]
    _send_all(port, sent, n_clients)
    ratios, per_second, seconds = [], [], []
    duration, n_repeats = max(0.1, SECONDS * min(1, scale)), 5 if scale >= 1 else 1
    for _ in range(n_repeats):
        before = _rows_per_second(server, n_clients, duration)
        start = time.perf_counter()
        answers = _send_all(port, sent, n_clients)
        per_second.append(n_requests / (time.perf_counter() - start))
        seconds += [answer[2] for answer in answers]
        after = _rows_per_second(server, n_clients, duration)
        ratios.append(per_second[-1] / statistics.mean([before, after]))
    p50, p99 = np.percentile(seconds, [50, 99]).tolist()
    named = f"{n_clients} client{'s' if n_clients > 1 else ''}"
    return Figure(
        f"requests per second of the server, {named}",
        f"rows per second of `predict_proba` in batches of {n_clients}",
        0.7 if n_clients == max(CLIENTS) else None,
        ratios,
        at_least=True,
        details={
            "requests_per_second": statistics.median(per_second),
            "p50_ms": 1000 * p50,
            "p99_ms": 1000 * p99,
            "p99_over_p50": p99 / p50,
        },
    )


def _measure_many(
    server: Any, port: int, bodies: Sequence[bytes], n_requests: int
) -> Iterable[Figure]:
    """Yield how many of many requests, one in ten malformed, have the right answer; and memory."""
    expected = [json.loads(text)["rows"][0]["scores"] for _, text, _ in _send_all(port, bodies, 1)]
    resident, n_right, done = [], 0, 0
    step = n_requests // 10
    while done < n_requests:
        numbers = range(done, min(done + step, n_requests))
        sent = [
            MALFORMED[number // 10 % len(MALFORMED)]
            if number % 10 == 3
            else bodies[number % len(bodies)]
            for number in numbers
        ]
        for number, (status, text, _) in zip(
            numbers, _send_all(port, sent, max(CLIENTS)), strict=True
        ):
            answer = json.loads(text)
            if number % 10 == 3:
                n_right += status in (400, 422) and "reason" in answer["error"]
            else:
                wanted = expected[number % len(bodies)]
                n_right += status == 200 and all(
                    abs(score - wanted[label]) < 1e-4
                    for label, score in answer["rows"][0]["scores"].items()
                )
        done = numbers.stop
        resident.append(resident_mib(server.pid))
    yield Figure(
        f"right answers to {n_requests:,} requests, one in ten malformed",
        "all of them",
        1,
        [n_right / n_requests],
        at_least=True,
        details={"requests": n_requests, "right": n_right},
    )
    yield Figure(
        f"memory of the server after {n_requests:,} requests",
        f"the same after {2 * step:,} requests",
        1.05,
        [resident[-1] / resident[1]],
        details={"resident_mib": resident},
    )


def _send_all(port: int, bodies: Sequence[bytes], n_clients: int) -> list[tuple[int, bytes, float]]:
    """Send bodies from clients that each wait for an answer before they go on."""
    answers: list[Any] = [None] * len(bodies)

    def send_part(first: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        for number in range(first, len(bodies), n_clients):
            start = time.perf_counter()
            connection.request(
                "POST", "/predict", bodies[number], {"Content-Type": "application/json"}
            )
            answer = connection.getresponse()
            text = answer.read()
            answers[number] = (answer.status, text, time.perf_counter() - start)
        connection.close()

    with ThreadPoolExecutor(n_clients) as pool:
        list(pool.map(send_part, range(n_clients)))
    return answers


def _rows_per_second(server: Any, n_rows: int, seconds: float) -> float:
    server.stdin.write(f"{n_rows} {seconds}\n")
    server.stdin.flush()
    return float(server.stdout.readline())


def _serve_here(n_trained: int) -> None:
    """Serve a small ensemble; a line with rows and seconds is answered with rows per second."""
    import threading

    from multimodal_ensemble import BagOfWordsEncoder, ImageEncoder, MultimodalEnsemble
    from multimodal_ensemble.serving import serve

    table = make_rows(n_trained)
    labels = [[tag for tag in row if tag in TAGS[:20]] or TAGS[:1] for row in table["tags"]]
    poster = ImageEncoder(
        "poster", backbone="MobileNet", weights=None, image_size=IMAGE_SIZE, seed=1
    )
    tags = BagOfWordsEncoder("tags")
    model = MultimodalEnsemble([poster, tags], random_state=1, verbose=0).fit(table, labels)

    def measure() -> None:
        for line in sys.stdin:
            n_rows, seconds = int(line.split()[0]), float(line.split()[1])
            batch = {name: values[:n_rows] for name, values in table.items()}
            model.predict_proba(batch)
            n_calls, start = 0, time.perf_counter()
            while time.perf_counter() - start < seconds:
                model.predict_proba(batch)
                n_calls += 1
            print(n_calls * n_rows / (time.perf_counter() - start), flush=True)

    threading.Thread(target=measure, daemon=True).start()
    serve(model, port=0, report=lambda line: print(line.rpartition(":")[2], flush=True))


if __name__ == "__main__":
    _serve_here(int(sys.argv[1]))
