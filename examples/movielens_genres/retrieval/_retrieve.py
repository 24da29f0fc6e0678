"""From a MovieLens folder and the answers of TMDB to a data folder."""

import sqlite3
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from .._errors import UsageError
from ..data import MOVIES_FILE, TAGS_FILE, read_movielens
from ._asking import Asking, Outcome
from ._journal import JOURNAL_FILE, Journal, open_journal
from ._key import Credential
from ._movies import Movie, list_movies, look_up
from ._posters import POSTER_FOLDER, PosterFolder
from ._settings import Settings
from ._table import (
    FINDINGS_FILE,
    MISSING_FILE,
    Summary,
    describe_reason,
    write_findings,
    write_tables,
    write_tags,
)

GO_ON = "run the same command again to go on"
TERMS = (
    "This product uses the TMDB API but is not endorsed or certified by TMDB; what is done with "
    "its data is subject to https://www.themoviedb.org/api-terms-of-use."
)


def retrieve(
    source: Path,
    out: Path,
    settings: Settings,
    find_credential: Callable[[], Credential],
    *,
    links: Path | None = None,
) -> int:
    """Make a data folder of MovieLens and what TMDB answers; return the exit status.

    Parameters
    ----------
    source : Path
        The MovieLens folder.
    out : Path
        The data folder; made if there is none. It may be `source`, or one that an earlier run has
        left unfinished.
    settings : Settings
        What to retrieve, and how.
    find_credential : callable
        Returns the key for TMDB; called if there is something to ask.
    links : Path, optional
        A file in place of the ``links.csv`` of `source`.

    Returns
    -------
    int
        0 if TMDB answered everything, even if it does not know all; 1 if answers are missing; 130
        after an interruption.

    Raises
    ------
    DataError
        If the MovieLens files cannot be used.
    UsageError
        If the folder cannot be used, no movie has a link, or TMDB refuses the key or has no posters
        of that size. What was answered before is kept.
    """
    start = time.monotonic()
    outcome = Outcome()
    try:
        if not (out / JOURNAL_FILE).exists():
            # There is something to ask; without a key nothing shall be read or written for it.
            find_credential()
        with ExitStack() as stack:
            movies, journal = _begin(source, out, links, settings.limit, stack)
            posters = PosterFolder(out / POSTER_FOLDER)
            _prepare_journal(journal, posters, out, settings)
            todo = [movie for movie in movies if look_up(movie, journal).question]
            if todo:
                credential = find_credential()
                stack.enter_context(credential.hidden_in_logs())
                asking = Asking(todo, len(movies), journal, posters, settings, credential)
                outcome = asking.run()
            summary = write_tables(out, movies, journal, outcome.failures)
    except (OSError, sqlite3.Error) as error:
        msg = (
            f"The data folder {str(out)!r} cannot be written ({error}). What was answered so far "
            "is kept; make room or mend that, and run the same command again."
        )
        raise UsageError(msg) from error
    _report(summary, outcome, out, time.monotonic() - start)
    if outcome.interrupted:
        return 130
    return 1 if summary.unanswered else 0


def _begin(
    source: Path, out: Path, links: Path | None, limit: int | None, stack: ExitStack
) -> tuple[list[Movie], Journal]:
    """Read the MovieLens files, open the data folder, and write what it has of them.

    The tables, which are large, are not needed any more then.
    """
    movielens = read_movielens(source, links=links)
    movies = list_movies(movielens.movies, movielens.links)[:limit]
    _check_links(movies)
    _check_out(out, source)
    # Its being there says that the folder is of this command, so that it comes first.
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
                f"{str(out)!r} holds {path.name}, which is not of this command and might be lost; "
                "use another --out, or move it away."
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


def _report(summary: Summary, outcome: Outcome, out: Path, seconds: float) -> None:
    print("\n" + "\n".join(summary.lines()))
    print(
        f"\n{outcome.requests:,} requests and {outcome.bytes / 1e6:,.1f} MB in {seconds:.0f} s. "
        f"The data folder is {str(out)!r}; {MISSING_FILE} in it lists what is missing.\n{TERMS}"
    )
    if outcome.interrupted:
        print(f"Interrupted; all answers are kept: {GO_ON}.", file=sys.stderr)
    elif outcome.given_up:
        print(f"Stopped: {outcome.given_up}. All answers are kept: {GO_ON}.", file=sys.stderr)
    elif summary.unanswered:
        print(f"Movies without an answer: {describe_reason(summary)}; {GO_ON}.", file=sys.stderr)
