"""The journal of answers."""

import dataclasses
import sqlite3

import pytest

from examples.movielens_genres._errors import UsageError
from examples.movielens_genres.retrieval import (
    _journal,
)
from examples.movielens_genres.retrieval._answers import (
    Configuration,
    Details,
)
from examples.movielens_genres.retrieval._journal import (
    JOURNAL_FILE,
    Journal,
    Poster,
    open_journal,
)

from .known import TOY, URL


def test_answers_are_saved(tmp_path):
    path = tmp_path / JOURNAL_FILE
    configuration = Configuration("https://images.example", ("w92", "w185"))
    with Journal(path) as journal:
        assert journal.answer("movie/862") is None
        journal.keep_answer("movie/862", TOY)
        journal.keep_answer("movie/5", None)
        journal.keep_poster("/toy.jpg", Poster("1.jpg", 55))
        journal.keep_poster("/lost.jpg", Poster(None, 0))
        journal.keep_configuration(URL, configuration)
    with Journal(path) as journal:
        assert journal.answer("movie/862") == (TOY,)
        assert journal.answer("movie/5") == (None,)
        assert journal.answer("movie/6") is None
        assert journal.poster("/toy.jpg") == Poster("1.jpg", 55)
        assert journal.poster("/lost.jpg") == Poster(None, 0)
        assert journal.poster("/other.jpg") is None
        assert journal.configuration(URL) == configuration
        assert journal.configuration("https://other.example") is None


def test_details_are_saved_by_name(journal, monkeypatch):
    fields = [(field.name, field.type) for field in reversed(dataclasses.fields(Details))]
    other = dataclasses.make_dataclass("Other", fields)
    monkeypatch.setattr(_journal, "Details", other)
    monkeypatch.setattr(_journal, "_DETAILS", ", ".join(name for name, _ in fields))
    given = other(**dataclasses.asdict(TOY))
    journal.keep_answer("movie/862", given)
    assert journal.answer("movie/862") == (given,)
    row = journal._run("SELECT tmdb_id, poster_path FROM answers").fetchone()
    assert row == (862, "/toy.jpg")


def test_answers_survive_a_kill(tmp_path):
    path = tmp_path / JOURNAL_FILE
    journal = Journal(path)
    journal.keep_answer("movie/862", TOY)
    # A killed process would leave exactly this content.
    copy = tmp_path / "copy"
    for suffix in ("", "-wal"):
        (tmp_path / f"copy{suffix}").write_bytes(path.with_name(path.name + suffix).read_bytes())
    journal.close()
    with Journal(copy) as killed:
        assert killed.answer("movie/862") == (TOY,)


def test_unknown_answers_can_be_forgotten(journal):
    journal.keep_answer("movie/862", TOY)
    journal.keep_answer("movie/5", None)
    journal.keep_answer("movie/6", Details(6, "1990", "en", ""))
    journal.keep_poster("/toy.jpg", Poster("1.jpg", 55))
    journal.keep_poster("/lost.jpg", Poster(None, 0))
    journal.keep_configuration(URL, Configuration("https://images.example", ("w92",)))
    journal.forget_absent()
    assert journal.answer("movie/862") == (TOY,)
    assert journal.poster("/toy.jpg")
    assert [journal.answer("movie/5"), journal.answer("movie/6")] == [None, None]
    assert [journal.poster("/lost.jpg"), journal.configuration(URL)] == [None, None]


def test_deleted_posters_are_forgotten(journal):
    for number in range(3):
        journal.keep_poster(f"/{number}.jpg", Poster(f"{number}.jpg", 55))
    journal.keep_poster("/lost.jpg", Poster(None, 0))
    assert journal.forget_posters_but({"0.jpg": 55, "1.jpg": 54}) == 2
    assert [journal.poster(f"/{number}.jpg") is None for number in range(3)] == [False, True, True]
    assert journal.poster("/lost.jpg")
    assert journal.has_posters()
    assert journal.forget_posters_but({}) == 1
    assert not journal.has_posters()


def test_a_journal_can_be_open_only_once(journal, tmp_path, monkeypatch):
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda path, **_: connect(path, timeout=0))
    with pytest.raises(UsageError, match=r"^Another retrieve is running in '.*'; wait until"):
        open_journal(tmp_path / JOURNAL_FILE)
    journal.close()
    open_journal(tmp_path / JOURNAL_FILE).close()


def test_a_damaged_journal_is_renamed(tmp_path, capsys):
    path = tmp_path / JOURNAL_FILE
    path.write_bytes(b"not a database, but long enough for one" * 100)
    path.with_name(f"{path.name}-wal").write_bytes(b"of that one")
    with open_journal(path) as journal:
        assert journal.answer("movie/862") is None
    assert path.with_name(f"{path.name}.damaged").read_bytes().startswith(b"not a database")
    assert "was damaged and is renamed to 'retrieval.sqlite.damaged'" in capsys.readouterr().out


def test_a_journal_of_another_version_is_not_changed(tmp_path):
    path = tmp_path / JOURNAL_FILE
    Journal(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 9")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(UsageError, match=r"is of format 9, not 1; use another --out"):
        open_journal(path)
    assert path.read_bytes() == before
