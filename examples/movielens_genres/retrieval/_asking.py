"""Ask TMDB for everything that is still unknown, and keep each answer as it arrives."""

import dataclasses
import functools
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from tqdm import tqdm

from .._errors import UsageError
from ._answers import Configuration, read_configuration, read_details_of, read_found
from ._client import Client
from ._errors import KeyRefusedError, RefusedError, StoppedError, UnansweredError
from ._journal import Journal, Poster
from ._key import Credential
from ._movies import Movie, Question, look_up
from ._options import RetrieveOptions
from ._posters import PosterFolder, check_image
from ._workers import Interruption, Workers

CONFIGURATION = Question("configuration")
_TICK = 0.2
# Seconds for pending requests once the command is to end, and then for closing them.
_LAST_ANSWERS = 2.0
_LAST_WORDS = 1.0


@dataclasses.dataclass
class Outcome:
    """The result of asking."""

    # The reason for each question without an answer.
    failures: dict[Question, str] = dataclasses.field(default_factory=dict)
    interrupted: bool = False  # whether a signal ended it
    given_up: str = ""  # why it ended before everything was asked; empty if it did not
    # The number of requests, and the size of their answers.
    requests: int = 0
    bytes: int = 0


class Asking:
    """Asks all questions, many at a time; the thread that created it keeps the answers."""

    def __init__(
        self,
        todo: Sequence[Movie],
        n_movies: int,
        journal: Journal,
        posters: PosterFolder,
        options: RetrieveOptions,
        credential: Credential,
    ) -> None:
        self._todo = todo
        self._outcome = Outcome()
        self._journal = journal
        self._posters = posters
        self._options = options
        self._stop = threading.Event()
        self._client = Client(options.api_url, credential, options.policy, self._stop)
        self._configuration: Configuration | None = None
        self._waiting: dict[Question, list[Movie]] = {}
        self._in_a_row = {"API": 0, "images": 0}
        self._error: Exception | None = None
        self._workers = Workers(options.policy.connections, self._answer)
        interval = _TICK if sys.stderr.isatty() else 30  # In a log file each update is a line.
        self._bar = tqdm(
            desc="Retrieving",
            total=n_movies,
            initial=n_movies - len(todo),
            unit="movie",
            disable=options.quiet,
            dynamic_ncols=True,
            mininterval=interval,
            maxinterval=interval,
            smoothing=0.05,
        )

    def run(self) -> Outcome:
        """Ask until everything is known or no more answers can be expected."""
        try:
            with Interruption() as interruption, self._bar:
                self._run(interruption)
        finally:
            self._stop.set()
            self._client.close()
            self._workers.close(timeout=_LAST_WORDS / self._options.policy.connections)
        self._outcome.requests, self._outcome.bytes = self._client.requests, self._client.bytes
        return self._outcome

    def _run(self, interruption: Interruption) -> None:
        rest = iter(self._todo)
        self._configuration = self._journal.configuration(self._options.api_url)
        if self._configuration is None:
            self._ask(CONFIGURATION, [])
        else:
            self._check_poster_size()
        while not (interruption.came or self._outcome.given_up or self._error):
            # There are more questions than connections, so that none waits for this thread.
            while self._configuration and len(self._waiting) < 2 * self._options.policy.connections:
                movie = next(rest, None)
                if movie is None:
                    break
                self._advance(movie)
            if not self._waiting:
                return
            self._take_one()
            self._show_pause()
        self._outcome.interrupted = interruption.came
        self._end()
        if self._error:
            raise self._error

    def _end(self) -> None:
        """Keep the answers of the next seconds, and end all other requests."""
        self._stop.set()
        now = time.monotonic()
        until, end = now + _LAST_ANSWERS, now + _LAST_ANSWERS + _LAST_WORDS
        while self._waiting and time.monotonic() < end:
            if time.monotonic() > until:
                self._client.close()
            self._take_one()

    def _advance(self, movie: Movie) -> None:
        """Ask the next question about a movie, unless it is already being asked."""
        question = look_up(movie, self._journal).question
        if question is None or question in self._outcome.failures:
            self._bar.update()
        elif self._stop.is_set():
            pass
        elif question in self._waiting:
            self._waiting[question].append(movie)
        else:
            self._ask(question, [movie])

    def _ask(self, question: Question, movies: list[Movie]) -> None:
        self._waiting[question] = movies
        self._workers.submit(question)

    def _answer(self, question: Question) -> Any:
        """Return the answer to a question; this runs in the workers."""
        client = self._client
        match question.kind:
            case "configuration":
                return client.ask("configuration", read_configuration)
            case "movie":
                read = functools.partial(read_details_of, question.name)
                return client.ask(f"movie/{question.name}", read)
            case "find":
                return client.ask(f"find/{question.name}", read_found, external_source="imdb_id")
        # A killed run may have written the file without recording it.
        size = self._options.poster_size
        file = PosterFolder.name(question.name, size)
        if found := self._posters.find(file):
            return found
        url = f"{self._configuration.image_url}/{size}{question.name}"
        content = client.fetch(url, check_image)
        return None if content is None else self._posters.write(file, content)

    def _take_one(self) -> None:
        self._client.shut_late()
        done = self._workers.next_done(_TICK)
        if done is None:
            return
        question = done.task
        movies = self._waiting.pop(question)
        host = "images" if question.kind == "poster" else "API"
        match done.error:
            case None:
                self._in_a_row[host] = 0
                self._keep(question, done.result)
            case UnansweredError():
                self._fail(question, host, str(done.error))
            case StoppedError():
                return
            case RefusedError():
                self._outcome.given_up = f"{self._name(host)} {done.error}"
                return
            case KeyRefusedError():
                msg = (
                    "TMDB refuses the key (HTTP status 401); check it. All answers so far are kept."
                )
                self._error = self._error or UsageError(msg)
                return
            case _:
                self._error = self._error or done.error
                return
        for movie in movies:
            self._advance(movie)

    def _keep(self, question: Question, answer: Any) -> None:
        match question.kind:
            case "configuration":
                self._keep_configuration(answer)
            case "poster":
                self._journal.keep_poster(question.name, answer or Poster(None, 0))
            case _:
                self._journal.keep_answer(question.key, answer)

    def _keep_configuration(self, configuration: Configuration | None) -> None:
        if configuration is None:
            msg = "The address of the API does not exist (HTTP status 404); see --api-url."
            raise UsageError(msg)
        self._configuration = configuration
        self._check_poster_size()
        self._journal.keep_configuration(self._options.api_url, configuration)

    def _check_poster_size(self) -> None:
        sizes, size = self._configuration.poster_sizes, self._options.poster_size
        if size not in sizes:
            msg = f"--poster-size must be one that TMDB has, {', '.join(sizes)}, not {size!r}."
            raise UsageError(msg)

    def _fail(self, question: Question, host: str, reason: str) -> None:
        self._outcome.failures[question] = reason
        self._in_a_row[host] += 1
        if question == CONFIGURATION:
            self._outcome.given_up = f"{self._name(host)} did not answer ({reason})"
        elif self._in_a_row[host] >= self._options.give_up_after:
            self._outcome.given_up = (
                f"{self._name(host)} did not answer {self._in_a_row[host]} questions in a row "
                f"({reason})"
            )

    def _name(self, host: str) -> str:
        if host == "API" or self._configuration is None:
            return f"TMDB's API at {urlsplit(self._options.api_url).netloc}"
        return f"TMDB's image host {urlsplit(self._configuration.image_url).netloc}"

    def _show_pause(self) -> None:
        seconds = self._client.paused_for()
        text = f"waiting {seconds:.0f} s as TMDB asks" if seconds >= 1 else ""
        self._bar.set_postfix_str(text, refresh=bool(text) and sys.stderr.isatty())
