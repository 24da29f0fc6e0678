"""The answers so far, saved one by one, so that a run can end at any time."""

import dataclasses
import json
import sqlite3
from pathlib import Path
from typing import Any, NamedTuple, Self

from .._errors import UsageError
from ._answers import Configuration, Details

JOURNAL_FILE = "retrieval.sqlite"
_FORMAT = 1
_TABLES = """
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS answers (
    question TEXT PRIMARY KEY, tmdb_id INTEGER, release_year TEXT, language TEXT, poster_path TEXT
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS posters (path TEXT PRIMARY KEY, file TEXT, bytes INTEGER) WITHOUT ROWID;
"""
_DETAILS = ", ".join(field.name for field in dataclasses.fields(Details))


class Poster(NamedTuple):
    """A file in the folder of posters and its size; None and 0 if TMDB has no poster."""

    file: str | None
    bytes: int


class _DamagedError(Exception):
    """A file cannot be read as a journal."""


def open_journal(path: Path) -> "Journal":
    """Open the journal at a path; rename a damaged one and begin a new one.

    Raises
    ------
    UsageError
        If another process has it open, or it has another version.
    """
    try:
        return Journal(path)
    except _DamagedError:
        aside = path.with_name(f"{path.name}.damaged")
        path.replace(aside)
        # The write-ahead log belongs to the damaged file.
        path.with_name(f"{path.name}-wal").unlink(missing_ok=True)
        print(f"{str(path)!r} was damaged and is renamed to {aside.name!r}; a new one begins.")
        return Journal(path)


class Journal:
    """TMDB's answers, in a file that only one process at a time can open.

    Only the thread that created it may use it. All that a method saves survives if the process is
    killed.

    Raises
    ------
    UsageError
        If another process has it open, or it is not a journal.
    """

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, timeout=1, isolation_level=None)
        try:
            # The lock lasts as long as the connection; the system releases it after a kill.
            self._run("PRAGMA locking_mode = EXCLUSIVE")
            self._run("PRAGMA journal_mode = WAL")
            # A killed process loses nothing; a power cut may lose the last answers.
            self._run("PRAGMA synchronous = NORMAL")
            self._run("BEGIN EXCLUSIVE")
            if self._run("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                raise _DamagedError
            if (found := self._run("PRAGMA user_version").fetchone()[0]) not in (0, _FORMAT):
                msg = f"{str(path)!r} is of format {found}, not {_FORMAT}; use another --out."
                raise UsageError(msg)
            self._run(f"PRAGMA user_version = {_FORMAT}")
            for statement in _TABLES.split(";"):
                self._run(statement)
            self._run("COMMIT")
        except BaseException as error:
            self.close()
            # The last byte is the kind of error; the others are its details.
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                msg = f"Another retrieve is running in {str(path.parent)!r}; wait until it ends."
                raise UsageError(msg) from error
            if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
                raise _DamagedError from error
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file, so that another process can open it."""
        self._connection.close()

    def setting(self, name: str) -> str | None:
        """Return the text saved under a name."""
        row = self._run("SELECT value FROM settings WHERE name = ?", name).fetchone()
        return row and row[0]

    def keep_setting(self, name: str, value: str) -> None:
        """Save a text under a name."""
        self._run("REPLACE INTO settings VALUES (?, ?)", name, value)

    def configuration(self, api_url: str) -> Configuration | None:
        """Return the saved configuration of an address of the API."""
        text = self.setting("configuration")
        kept = json.loads(text) if text else {}
        if kept.get("api_url") != api_url:
            return None
        return Configuration(kept["image_url"], tuple(kept["poster_sizes"]))

    def keep_configuration(self, api_url: str, configuration: Configuration) -> None:
        """Save the configuration of an address of the API."""
        kept = {"api_url": api_url, **dataclasses.asdict(configuration)}
        self.keep_setting("configuration", json.dumps(kept))

    def answer(self, question: str) -> tuple[Details | None] | None:
        """Return the answer in a tuple, which holds None for a 404; None if there is no answer."""
        statement = f"SELECT {_DETAILS} FROM answers WHERE question = ?"
        row = self._run(statement, question).fetchone()
        if row is None:
            return None
        return (None,) if row[0] is None else (Details(*row),)

    def keep_answer(self, question: str, details: Details | None) -> None:
        """Save the answer to a question; None for a 404."""
        known = (None,) * 4 if details is None else dataclasses.astuple(details)
        statement = f"REPLACE INTO answers (question, {_DETAILS}) VALUES (?, ?, ?, ?, ?)"
        self._run(statement, question, *known)

    def poster(self, path: str) -> Poster | None:
        """Return the poster at a path of TMDB; None if it was not asked for."""
        row = self._run("SELECT file, bytes FROM posters WHERE path = ?", path).fetchone()
        return row and Poster(*row)

    def keep_poster(self, path: str, poster: Poster) -> None:
        """Save the poster at a path of TMDB."""
        self._run("REPLACE INTO posters VALUES (?, ?, ?)", path, *poster)

    def has_posters(self) -> bool:
        """Return whether any poster was retrieved."""
        return self._run("SELECT 1 FROM posters WHERE file IS NOT NULL").fetchone() is not None

    def forget_posters_but(self, sizes: dict[str, int]) -> int:
        """Forget posters whose file is gone or has another size; return their number."""
        rows = self._run("SELECT path, file, bytes FROM posters WHERE file IS NOT NULL").fetchall()
        gone = [(path,) for path, file, size in rows if sizes.get(file) != size]
        self._run("BEGIN")
        self._connection.executemany("DELETE FROM posters WHERE path = ?", gone)
        self._run("COMMIT")
        return len(gone)

    def forget_absent(self) -> None:
        """Forget what TMDB does not have, and the address of its images."""
        self._run("BEGIN")
        self._run("DELETE FROM answers WHERE tmdb_id IS NULL OR poster_path = ''")
        self._run("DELETE FROM posters WHERE file IS NULL")
        self._run("DELETE FROM settings WHERE name = 'configuration'")
        self._run("COMMIT")

    def _run(self, statement: str, *values: Any) -> sqlite3.Cursor:
        return self._connection.execute(statement, values)
