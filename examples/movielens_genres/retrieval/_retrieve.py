"""Ask TMDB for whatever is not known yet, and keep each answer as it comes."""

import dataclasses
import functools
import sqlite3
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tqdm import tqdm

from .._errors import UsageError
from ..data import MOVIES_FILE, TAGS_FILE, MovieLens
from ._answers import Configuration, read_configuration, read_details_of, read_found
from ._client import Client, Manners
from ._errors import KeyRefusedError, RefusedError, StoppedError, UnansweredError
from ._journal import JOURNAL_FILE, Journal, Poster, open_journal
from ._key import Credential
from ._movies import Movie, Question, list_movies, look_up
from ._posters import POSTER_FOLDER, PosterFolder, check_image
from ._table import MISSING_FILE, Summary, describe_reason, write_tables, write_tags
from ._workers import Interruption, Workers

CONFIGURATION = Question("configuration")
GO_ON = "run the same command again to go on"
_TICK = 0.2
# How long requests under way may take once the command is to end, and what is left of them then.
_LAST_ANSWERS = 2.0
_LAST_WORDS = 1.0
TERMS = (
    "This product uses the TMDB API but is not endorsed or certified by TMDB; what is done with "
    "its data is subject to https://www.themoviedb.org/api-terms-of-use."
)


@dataclasses.dataclass(frozen=True)
class Settings:
    """What to retrieve, and how.

    Parameters
    ----------
    api_url : str
        Address of the API, without a final slash.
    poster_size : str
        One of the sizes that TMDB offers.
    manners : Manners
        How requests are made.
    give_up_after : int
        How many questions in a row may get no answer from a host until all stops.
    limit : int, optional
        Retrieve only so many movies, the first ones.
    ask_again : bool
        Ask again for what TMDB did not have.
    quiet : bool
        Show no progress.
    """

    api_url: str = "https://api.themoviedb.org/3"
    poster_size: str = "w185"
    manners: Manners = dataclasses.field(default_factory=Manners)
    give_up_after: int = 50
    limit: int | None = None
    ask_again: bool = False
    quiet: bool = False


def retrieve(
    movielens: MovieLens, source: Path, out: Path, settings: Settings, credential: Credential
) -> int:
    """Make a data folder of MovieLens and what TMDB answers; return the exit status.

    Parameters
    ----------
    movielens : MovieLens
        What to retrieve data of.
    source : Path
        The folder that it was read from.
    out : Path
        The data folder; made if there is none. It may be `source`, or one that an earlier run has
        left unfinished.
    settings : Settings
        What to retrieve, and how.
    credential : Credential
        The key for TMDB.

    Returns
    -------
    int
        0 if TMDB answered everything, even if it does not know all; 1 if answers are missing; 130
        after an interruption.

    Raises
    ------
    UsageError
        If the folder cannot be used, no movie has a link, or TMDB refuses the key or has no posters
        of that size. What was answered before is kept.
    """
    start = time.monotonic()
    movies = list_movies(movielens.movies, movielens.links)[: settings.limit]
    try:
        _check_out(out, source)
        _check_links(movies)
        with open_journal(out / JOURNAL_FILE) as journal, credential.hidden_in_logs():
            posters = PosterFolder(out / POSTER_FOLDER)
            _prepare_journal(journal, posters, out, settings)
            if not (out.samefile(source) and (out / TAGS_FILE).exists()):
                write_tags(out, movielens.tags)
            findings = movielens.findings.table()
            if not findings.empty:
                print(f"Found in the MovieLens files:\n{findings.to_string(index=False)}\n")
            # So that its memory serves what follows.
            del movielens
            asking = _Asking(journal, posters, settings, credential)
            asking.run(movies)
            summary = write_tables(out, movies, journal, asking.failures)
    except (OSError, sqlite3.Error) as error:
        msg = (
            f"The data folder {str(out)!r} cannot be written ({error}). What was answered so far "
            "is kept; make room or mend that, and run the same command again."
        )
        raise UsageError(msg) from error
    seconds = time.monotonic() - start
    _report(summary, asking, out, seconds)
    if asking.interrupted:
        return 130
    return 1 if summary.unanswered else 0


def _check_out(out: Path, source: Path) -> None:
    if out.exists() and not out.is_dir():
        msg = f"--out {str(out)!r} is a file; name a folder."
        raise UsageError(msg)
    out.mkdir(parents=True, exist_ok=True)
    if (out / JOURNAL_FILE).exists():
        return
    ours = [MOVIES_FILE] if out.samefile(source) else [MOVIES_FILE, TAGS_FILE]
    for name in ours:
        if (out / name).exists():
            msg = (
                f"{str(out)!r} has a {name} that is not of this command, which would write over "
                "it; use another --out, or move it away."
            )
            raise UsageError(msg)


def _check_links(movies: Sequence[Movie]) -> None:
    if not any(movie.imdb_id or movie.tmdb_id for movie in movies):
        msg = (
            "No movie has an id of TMDB or IMDb, so that none can be asked for; name a links.csv "
            "with --links, such as that of another MovieLens release."
        )
        raise UsageError(msg)


def _prepare_journal(
    journal: Journal, posters: PosterFolder, out: Path, settings: Settings
) -> None:
    lost = journal.forget_posters_but(posters.sizes())
    if lost:
        print(f"{lost} posters are not there any more, or changed; they are looked for again.")
    size = journal.setting("poster_size")
    if size not in (None, settings.poster_size) and journal.has_posters():
        msg = (
            f"{str(out)!r} holds posters of the size {size}: use --poster-size {size}, or another "
            f"--out for {settings.poster_size}."
        )
        raise UsageError(msg)
    journal.keep_setting("poster_size", settings.poster_size)
    if settings.ask_again:
        journal.forget_absent()


class _Asking:
    """Asks all questions, many at a time; the thread that made it keeps the answers."""

    def __init__(
        self, journal: Journal, posters: PosterFolder, settings: Settings, credential: Credential
    ) -> None:
        self._journal = journal
        self._posters = posters
        self._settings = settings
        self._stop = threading.Event()
        self.client = Client(settings.api_url, credential, settings.manners, self._stop)
        self._configuration: Configuration | None = None
        self._waiting: dict[Question, list[Movie]] = {}
        self._in_a_row = {"API": 0, "images": 0}
        # Why questions got no answer.
        self.failures: dict[Question, str] = {}
        self.interrupted = False
        self.given_up = ""
        self._error: Exception | None = None

    def run(self, movies: Sequence[Movie]) -> None:
        """Ask until all is known, or nothing more can be."""
        todo = [movie for movie in movies if look_up(movie, self._journal).question]
        if not todo:
            return
        interval = _TICK if sys.stderr.isatty() else 30  # In a log file each would be a line.
        self._workers = Workers(self._settings.manners.connections, self._answer)
        try:
            with (
                Interruption() as interruption,
                tqdm(
                    desc="Retrieving",
                    total=len(movies),
                    initial=len(movies) - len(todo),
                    unit="movie",
                    disable=self._settings.quiet,
                    dynamic_ncols=True,
                    mininterval=interval,
                    maxinterval=interval,
                    smoothing=0.05,
                ) as self._bar,
            ):
                self._run(todo, interruption)
        finally:
            self._stop.set()
            self.client.close()
            self._workers.close(timeout=_LAST_WORDS / self._settings.manners.connections)

    def _run(self, todo: list[Movie], interruption: Interruption) -> None:
        rest = iter(todo)
        self._configuration = self._journal.configuration(self._settings.api_url)
        if self._configuration is None:
            self._ask(CONFIGURATION, [])
        else:
            self._check_poster_size()
        while not (interruption.came or self.given_up or self._error):
            # More than there are connections, so that none waits for this thread.
            while (
                self._configuration and len(self._waiting) < 2 * self._settings.manners.connections
            ):
                movie = next(rest, None)
                if movie is None:
                    break
                self._advance(movie)
            if not self._waiting:
                return
            self._take_one()
            self._show_pause()
        self.interrupted = interruption.came
        self._end()
        if self._error:
            raise self._error

    def _end(self) -> None:
        """Keep what is answered in the next moments, and end the rest."""
        self._stop.set()
        now = time.monotonic()
        until, end = now + _LAST_ANSWERS, now + _LAST_ANSWERS + _LAST_WORDS
        while self._waiting and time.monotonic() < end:
            if time.monotonic() > until:
                self.client.close()
            self._take_one()

    def _advance(self, movie: Movie) -> None:
        """Ask what has to be asked next for a movie, unless somebody else waits for that."""
        question = look_up(movie, self._journal).question
        if question is None or question in self.failures:
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
        """Get the answer to a question; this is what the workers do."""
        client = self.client
        match question.kind:
            case "configuration":
                return client.ask("configuration", read_configuration)
            case "movie":
                read = functools.partial(read_details_of, question.name)
                return client.ask(f"movie/{question.name}", read)
            case "find":
                return client.ask(f"find/{question.name}", read_found, external_source="imdb_id")
        # A run that was killed may have kept the file, and not that it has.
        if found := self._posters.find(question.file):
            return found
        url = f"{self._configuration.image_url}/{self._settings.poster_size}{question.name}"
        content = client.fetch(url, check_image)
        return None if content is None else self._posters.write(question.file, content)

    def _take_one(self) -> None:
        self.client.shut_late()
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
                self.given_up = f"{self._name(host)} {done.error}"
                return
            case KeyRefusedError():
                msg = (
                    "TMDB refuses the key (HTTP status 401); check it. What was answered so far "
                    "is kept."
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
            msg = "The address of the API leads nowhere (HTTP status 404); see --api-url."
            raise UsageError(msg)
        self._configuration = configuration
        self._check_poster_size()
        self._journal.keep_configuration(self._settings.api_url, configuration)

    def _check_poster_size(self) -> None:
        sizes, size = self._configuration.poster_sizes, self._settings.poster_size
        if size not in sizes:
            msg = f"--poster-size must be one that TMDB has, {', '.join(sizes)}, not {size!r}."
            raise UsageError(msg)

    def _fail(self, question: Question, host: str, reason: str) -> None:
        self.failures[question] = reason
        self._in_a_row[host] += 1
        if question == CONFIGURATION:
            self.given_up = f"{self._name(host)} did not answer ({reason})"
        elif self._in_a_row[host] >= self._settings.give_up_after:
            self.given_up = (
                f"{self._name(host)} did not answer {self._in_a_row[host]} questions in a row "
                f"({reason})"
            )

    def _name(self, host: str) -> str:
        if host == "API" or self._configuration is None:
            return f"TMDB's API at {urlsplit(self._settings.api_url).netloc}"
        return f"TMDB's image host {urlsplit(self._configuration.image_url).netloc}"

    def _show_pause(self) -> None:
        seconds = self.client.paused_for()
        text = f"waiting {seconds:.0f} s as TMDB asks" if seconds >= 1 else ""
        self._bar.set_postfix_str(text, refresh=bool(text) and sys.stderr.isatty())


def _report(summary: Summary, asking: _Asking, out: Path, seconds: float) -> None:
    print("\n" + "\n".join(summary.lines()))
    client = asking.client
    print(
        f"\n{client.requests:,} requests and {client.bytes / 1e6:,.1f} MB in {seconds:.0f} s. "
        f"The data folder is {str(out)!r}; {MISSING_FILE} in it lists what is missing.\n{TERMS}"
    )
    if asking.interrupted:
        print(f"Interrupted; all answers are kept: {GO_ON}.", file=sys.stderr)
    elif asking.given_up:
        print(f"Stopped: {asking.given_up}. All answers are kept: {GO_ON}.", file=sys.stderr)
    elif summary.unanswered:
        print(f"Movies without an answer: {describe_reason(summary)}; {GO_ON}.", file=sys.stderr)
