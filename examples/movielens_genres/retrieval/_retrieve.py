"""From a MovieLens folder and TMDB's answers to a data folder."""

import sqlite3
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from .._errors import UsageError
from ..data import MOVIES_FILE, TAGS_FILE, read_movielens
from ._asking import Asking, Outcome
from ._journal import JOURNAL_FILE, Journal, open_journal
from ._movies import Movie, list_movies, look_up
from ._options import RetrieveOptions
from ._posters import POSTER_FOLDER, PosterFolder
from ._table import (
    FINDINGS_FILE,
    MISSING_FILE,
    Summary,
    describe_reason,
    write_findings,
    write_tables,
    write_tags,
)

CONTINUE = "run the same command again to continue"
TERMS = (
    "This product uses the TMDB API but is not endorsed or certified by TMDB; the use of its data "
    "is subject to https://www.themoviedb.org/api-terms-of-use."
)


def retrieve(options: RetrieveOptions) -> int:
    """Make a data folder from MovieLens files and TMDB's answers; return the exit status.

    Returns
    -------
    int
        0 if TMDB answered every question, even if it does not know everything; 1 if questions are
        left; 130 after an interruption.

    Raises
    ------
    DataError
        If the MovieLens files cannot be used.
    UsageError
        If the folder cannot be used, no movie has a link, or TMDB refuses the key or has no posters
        of that size. All answers so far are kept.
    """
    start, out = time.monotonic(), options.out
    outcome = Outcome()
    try:
        if not (out / JOURNAL_FILE).exists():
            # There will be questions, so a missing key is reported before anything is written.
            options.find_credential()
        with ExitStack() as stack:
            movies, journal = _begin(options, stack)
            posters = PosterFolder(out / POSTER_FOLDER)
            _prepare_journal(journal, posters, options)
            todo = [movie for movie in movies if look_up(movie, journal).question]
            if todo:
                credential = options.find_credential()
                stack.enter_context(credential.hidden_in_logs())
                asking = Asking(todo, len(movies), journal, posters, options, credential)
                outcome = asking.run()
            summary = write_tables(out, movies, journal, outcome.failures)
    except (OSError, sqlite3.Error) as error:
        msg = (
            f"The data folder {str(out)!r} cannot be written ({error}). All answers so far are "
            f"kept; solve this problem, and {CONTINUE}."
        )
        raise UsageError(msg) from error
    _report(summary, outcome, out, time.monotonic() - start)
    if outcome.interrupted:
        return 130
    return 1 if summary.unanswered else 0


def _begin(options: RetrieveOptions, stack: ExitStack) -> tuple[list[Movie], Journal]:
    """Read the MovieLens files, open the data folder, and write tags and findings.

    The tables are large, so nothing refers to them afterwards.
    """
    source, out = options.movielens, options.out
    movielens = read_movielens(source, links=options.links)
    movies = list_movies(movielens.movies, movielens.links)[: options.limit]
    _check_links(movies)
    _check_out(out, source)
    # The journal marks the folder as one of this command, so it is created first.
    journal = stack.enter_context(open_journal(out / JOURNAL_FILE))
    if not (out.samefile(source) and (out / TAGS_FILE).exists()):
        write_tags(out, movielens.tags)
    findings = movielens.findings.table()
    write_findings(out, findings)
    if not findings.empty:
        print(f"Found in the MovieLens files:\n{findings.to_string(index=False)}\n")
    return movies, journal


def _check_out(out: Path, source: Path) -> None:
    if out.exists() and not out.is_dir():
        msg = f"--out {str(out)!r} is a file; name a folder."
        raise UsageError(msg)
    out.mkdir(parents=True, exist_ok=True)
    if (out / JOURNAL_FILE).exists():
        return
    ours = {MOVIES_FILE, TAGS_FILE, MISSING_FILE, FINDINGS_FILE, POSTER_FOLDER}
    if out.samefile(source):
        ours.remove(TAGS_FILE)
    for path in sorted(out / name for name in ours):
        if path.is_file() or (path.is_dir() and any(path.iterdir())):
            msg = (
                f"{str(out)!r} holds {path.name}, which this command did not write and would "
                "overwrite; use another --out, or move it away."
            )
            raise UsageError(msg)


def _check_links(movies: Sequence[Movie]) -> None:
    if not any(movie.imdb_id or movie.tmdb_id for movie in movies):
        msg = (
            "No movie has an id of TMDB or IMDb, so there is nothing to ask; name a links.csv with "
            "--links, such as that of another MovieLens release."
        )
        raise UsageError(msg)


def _prepare_journal(journal: Journal, posters: PosterFolder, options: RetrieveOptions) -> None:
    lost = journal.forget_posters_but(posters.sizes())
    if lost:
        print(f"{lost} posters are gone or have changed; they are retrieved again.")
    size = journal.setting("poster_size")
    if size not in (None, options.poster_size) and journal.has_posters():
        msg = (
            f"{str(options.out)!r} holds posters of the size {size}: use --poster-size {size}, or "
            f"another --out for {options.poster_size}."
        )
        raise UsageError(msg)
    journal.keep_setting("poster_size", options.poster_size)
    if options.ask_again:
        journal.forget_absent()


def _report(summary: Summary, outcome: Outcome, out: Path, seconds: float) -> None:
    print("\n" + "\n".join(summary.lines()))
    print(
        f"\n{outcome.requests:,} requests and {outcome.bytes / 1e6:,.1f} MB in {seconds:.0f} s. "
        f"The data folder is {str(out)!r}; its {MISSING_FILE} lists the gaps.\n{TERMS}"
    )
    if outcome.interrupted:
        print(f"Interrupted; all answers are kept: {CONTINUE}.", file=sys.stderr)
    elif outcome.given_up:
        print(f"Stopped: {outcome.given_up}. All answers are kept: {CONTINUE}.", file=sys.stderr)
    elif summary.unanswered:
        print(f"Movies without an answer: {describe_reason(summary)}; {CONTINUE}.", file=sys.stderr)
