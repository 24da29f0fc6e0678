"""A MovieLens folder, a server and the command, with checks of the result."""

import csv
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from examples.movielens_genres.__main__ import main

from .tmdb_movies import draw_poster, expected_row, make_movies, needed_paths, write_movielens
from .tmdb_server import KEY, TOKEN

ROOT = Path(__file__).parents[3]
TABLE = "extended_movie_data_with_local_files.csv"
CONFIGURATION = "/3/configuration"
CONNECTIONS = 4
ALL_KINDS = make_movies(24)
PLAIN = make_movies(23)[20:]


class Scene:
    """A MovieLens folder, a server, and the command."""

    def __init__(self, folder, movies, server, watch):
        self.folder, self.movies, self.server, self.watch = folder, movies, server, watch
        self.out = folder / "out"
        write_movielens(folder / "movielens", movies)

    def arguments(self, **options):
        given = {
            "movielens": self.folder / "movielens",
            "out": self.out,
            "api_url": self.server.url,
            "rate": 10_000,
            "connections": CONNECTIONS,
            "timeout": 2,
            "patience": 5,
        } | options
        words = ["retrieve"]
        for name, value in given.items():
            option = f"--{name.replace('_', '-')}"
            words += [option] if value is True else [option, str(value)]
        return words

    def run(self, **options):
        """Run the command in this process; return the status and the output."""
        status = main(self.arguments(**options))
        return status, self.watch()

    def start(self, **options):
        return subprocess.Popen(
            [sys.executable, "-m", "examples.movielens_genres", *self.arguments(**options)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_for_requests(self, count):
        deadline = time.monotonic() + 30
        while len(self.server.log) < count:
            assert time.monotonic() < deadline
            time.sleep(0.002)

    def asked(self, *, faulty=False):
        """Return how often each path was asked and answered correctly, or with a fault."""
        return Counter(entry.path for entry in self.server.log if entry.is_faulty == faulty)

    def rows(self):
        with (self.out / TABLE).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def check_files(self, expected=None, *, size="w185"):
        """Check table and posters byte by byte, and that no file contains a key."""
        expected = expected or [expected_row(movie, size) for movie in self.movies]
        assert self.rows() == expected
        header = (self.out / TABLE).read_text(encoding="utf-8").splitlines()[0]
        assert header == "movieId,title,genres,tmdbId,release_year,language,poster_file"
        wanted = {
            row["poster_file"]: draw_poster(movie.poster(size))
            for row, movie in zip(expected, self.movies, strict=True)
            if row["poster_file"]
        }
        files = (self.out / "posters").iterdir()
        assert {f"posters/{path.name}": path.read_bytes() for path in files} == wanted
        assert not list(self.out.glob(".*.tmp"))
        self.check_secrets()

    def check_secrets(self):
        assert not self.server.leaks
        for path in self.out.rglob("*"):
            content = path.read_bytes() if path.is_file() else b""
            assert KEY.encode() not in content
            assert TOKEN.encode() not in content

    def check_asked_once(self):
        """Check that each needed path was answered once, and that nothing else was asked."""
        assert self.asked() == dict.fromkeys(needed_paths(self.movies), 1)

    def check_repeats(self, *, at_most):
        """Check that at most some requests were repeated, and that none was left out."""
        asked = self.asked()
        del asked[CONFIGURATION]
        assert set(asked) == needed_paths(self.movies) - {CONFIGURATION}
        assert sum(asked.values()) - len(asked) <= at_most
