"""Speed, memory and recovery of the example's ``retrieve``, with a local server."""

import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks._figure import Figure
from tests.examples.retrieval.tmdb_movies import (
    Movie,
    draw_poster,
    expected_row,
    make_movies,
    needed_paths,
    write_movielens,
)
from tests.examples.retrieval.tmdb_server import KEY

ROOT = Path(__file__).parents[1]
N_MOVIES = 27_278  # The size of MovieLens 20M.
CONNECTIONS = 16
Log = list[tuple[str, int, bool, bool]]  # Path, status, is_faulty, is_whole.
# One path in 200 fails at its first request.
FAULT_EVERY = 200

# Runs the command and prints its peak resident memory, in kilobytes. getrusage is not used, because
# its value in a new process starts at that of the parent process.
COMMAND_SCRIPT = """
import sys
from pathlib import Path
from examples.movielens_genres.__main__ import main
status = main(sys.argv[1:])
print(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
sys.exit(status)
"""
# Sends the same requests from threads that ignore the responses.
FLOOR_SCRIPT = """
import json, sys, threading, requests
root, key, n_threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
paths = json.load(sys.stdin)
def ask(part):
    api, images = requests.Session(), requests.Session()
    api.params = {"api_key": key, "external_source": "imdb_id"}
    for path in part:
        (api if path.startswith("/3/") else images).get(root + path).content
threads = [threading.Thread(target=ask, args=(paths[i::n_threads],)) for i in range(n_threads)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def measure_retrieval(scale: float) -> Iterator[Figure]:
    """Yield the figures of speed, of peak memory, and of a run that is killed halfway."""
    n_movies = max(120, round(N_MOVIES * scale))
    movies = make_movies(n_movies)
    with tempfile.TemporaryDirectory(prefix="retrieval-") as name:
        folder = Path(name)
        seconds, many = _time_command(movies, folder / "many")
        floor = _time_floor(movies)
        n_requests = len(needed_paths(movies))
        yield Figure(
            f"retrieve, {n_movies:,} movies, no faults",
            f"the same {n_requests:,} requests by {CONNECTIONS} bare sessions without saving",
            None,
            [seconds / floor],
            details={
                "seconds": seconds,
                "seconds_against": floor,
                "requests_per_second": n_requests / seconds,
                "requests_per_second_against": n_requests / floor,
            },
        )
        few = max(60, n_movies // 10)
        _, small = _time_command(movies[:few], folder / "few")
        yield Figure(
            f"peak memory of retrieve, {n_movies:,} movies",
            f"the same with {few:,} movies",
            1.1,
            [many / small],
            details={"peaks_mib": [small / 1024, many / 1024]},
        )
        yield from _measure_kill(movies, folder / "killed")


def _time_command(movies: list[Movie], folder: Path) -> tuple[float, int]:
    """Return the seconds and kilobytes of an undisturbed run, and check its output."""
    write_movielens(folder / "movielens", movies)
    with _serve(len(movies)) as server:
        start = time.perf_counter()
        done = _start_command(server.url, folder)
        printed = _finish(done)
        seconds = time.perf_counter() - start
    _check(_count(movies, folder / "out", server.log))
    return seconds, int(printed.split()[-1])


def _time_floor(movies: list[Movie]) -> float:
    paths = json.dumps(sorted(needed_paths(movies)))
    with _serve(len(movies)) as server:
        start = time.perf_counter()
        arguments = [server.url.removesuffix("/3"), KEY, str(CONNECTIONS)]
        subprocess.run(
            [sys.executable, "-c", FLOOR_SCRIPT, *arguments], input=paths, text=True, check=True
        )
        return time.perf_counter() - start


def _measure_kill(movies: list[Movie], folder: Path) -> Iterator[Figure]:
    """Yield the figures of a run with faults that is killed halfway and then resumed."""
    write_movielens(folder / "movielens", movies)
    posters = folder / "out" / "posters"
    with _serve(len(movies), FAULT_EVERY) as server:
        start = time.perf_counter()
        first = _start_command(server.url, folder)
        while first.poll() is None and _n_files(posters) < len(movies) // 2:
            time.sleep(0.05)
        first.kill()
        first.communicate()
        kept = _n_files(posters)
        _finish(_start_command(server.url, folder))
        seconds = time.perf_counter() - start
    counted = _count(movies, folder / "out", server.log)
    details = counted | {"posters_at_the_kill": kept, "seconds": seconds}
    yield Figure(
        f"correct rows and posters, {len(movies):,} movies, faults in 1 of {FAULT_EVERY} requests, "
        "killed halfway",
        "all",
        1,
        [counted["n_correct"] / counted["n_expected"]],
        at_least=True,
        details=details,
    )
    yield Figure(
        "requests repeated without a fault",
        "permitted after a kill: two per connection, in progress or not saved yet",
        1,
        [counted["n_repeated"] / (2 * CONNECTIONS)],
        details=details,
    )


def _start_command(url: str, folder: Path) -> subprocess.Popen[str]:
    arguments = {
        "--movielens": folder / "movielens",
        "--out": folder / "out",
        "--api-url": url,
        "--connections": CONNECTIONS,
        "--rate": 100_000,
    }
    words = [str(word) for pair in arguments.items() for word in pair]
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND_SCRIPT, "retrieve", *words, "--quiet"],
        cwd=ROOT,
        env=os.environ | {"TMDB_API_KEY": KEY},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _finish(process: subprocess.Popen[str]) -> str:
    out, errors = process.communicate()
    if process.returncode:
        raise RuntimeError(out + errors)
    return out


@dataclass
class _Server:
    url: str
    log: Log = field(default_factory=list)


@contextmanager
def _serve(n_movies: int, fault_every: int | None = None) -> Iterator[_Server]:
    """Run the server in a separate process; its log is available at the end."""
    faults = [] if fault_every is None else ["--fault-every", str(fault_every)]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.examples.retrieval.tmdb_server", str(n_movies), *faults],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        server = _Server(process.stdout.readline().strip())
        yield server
        reported = json.loads(process.communicate()[0])
        if reported["leaks"]:
            msg = f"The key was sent to {reported['leaks'][:3]}."
            raise RuntimeError(msg)
        server.log = reported["log"]
    finally:
        process.kill()


def _count(movies: list[Movie], out: Path, log: Log) -> dict[str, Any]:
    """Count correct rows and posters, and requests that were repeated without a reason."""
    with (out / "extended_movie_data_with_local_files.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    expected = [expected_row(movie) for movie in movies]
    correct = [row for row, wanted in zip(rows, expected, strict=False) if row == wanted]
    with_poster = [
        (out / row["poster_file"], movie)
        for row, movie in zip(expected, movies, strict=True)
        if row["poster_file"]
    ]
    posters = [
        path.is_file() and path.read_bytes() == draw_poster(movie.poster())
        for path, movie in with_poster
    ]
    # Failed requests must be repeated, and each run requests the configuration.
    requested = Counter(path for path, _, is_faulty, _ in log if not is_faulty)
    del requested["/3/configuration"]
    return {
        "n_correct": len(correct) + sum(posters),
        "n_expected": len(expected) + len(posters),
        "n_requests": len(log),
        "n_faults": sum(is_faulty for _, _, is_faulty, _ in log),
        "n_repeated": sum(count - 1 for count in requested.values()),
        "n_not_requested": len(needed_paths(movies) - {entry[0] for entry in log}),
    }


def _check(counted: dict[str, Any]) -> None:
    if counted["n_correct"] < counted["n_expected"] or counted["n_repeated"]:
        msg = f"An undisturbed run must be complete without repetitions. Received {counted}."
        raise RuntimeError(msg)


def _n_files(folder: Path) -> int:
    return sum(1 for _ in os.scandir(folder)) if folder.is_dir() else 0
