"""The command with nothing to ask."""

import dataclasses
import re
import weakref

import pytest

from examples.movielens_genres._errors import UsageError
from examples.movielens_genres.data import MOVIES_FILE, TAGS_FILE, read_movielens
from examples.movielens_genres.retrieval import (
    Credential,
    RetrieveOptions,
    _retrieve,
    read_credential,
    retrieve,
)
from examples.movielens_genres.retrieval._errors import (
    StoppedError,
)
from examples.movielens_genres.retrieval._journal import (
    JOURNAL_FILE,
    Journal,
)
from examples.movielens_genres.retrieval._posters import PosterFolder

from .known import TOY, URL, image, read_csv
from .tmdb_server import KEY


@pytest.fixture
def source(tmp_path):
    """Return a MovieLens folder of one movie."""
    files = {
        "movies.csv": "movieId,title,genres\n1,A,B\n",
        "links.csv": "movieId,imdbId,tmdbId\n1,0114709,862\n",
        "tags.csv": "userId,movieId,tag,timestamp\n1,1,c,5\n",
    }
    folder = tmp_path / "source"
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def find_credential():
    return Credential(KEY, bearer=False)


def run_without_server(source, out, poster_size="w185", find_credential=find_credential):
    options = RetrieveOptions(
        source, out, find_credential, api_url=URL, poster_size=poster_size, quiet=True
    )
    return retrieve(options)


@pytest.mark.parametrize(
    "name", [MOVIES_FILE, TAGS_FILE, "missing.csv", "findings.csv", "posters/1.jpg"]
)
def test_files_of_the_user_are_not_overwritten(source, tmp_path, name):
    file = tmp_path / "out" / name
    file.parent.mkdir(parents=True)
    file.write_text("mine")
    name_shown = re.escape(name.removesuffix("/1.jpg"))
    with pytest.raises(UsageError, match=rf"holds {name_shown}, which this command did not write"):
        run_without_server(source, tmp_path / "out")
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == [file]


def test_movies_without_any_link_are_an_error(source, tmp_path):
    (source / "links.csv").unlink()
    with pytest.raises(UsageError, match=r"^No movie has an id of TMDB or IMDb.*--links"):
        run_without_server(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_reported(source, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"^--out '.*file' is a file; name a folder"):
        run_without_server(source, tmp_path / "file")
    with pytest.raises(UsageError, match=r"cannot be written \(.*Not a directory.*are kept; solve"):
        run_without_server(source, tmp_path / "file" / "out")


def test_a_complete_folder_needs_neither_requests_nor_a_key(source, tmp_path, capsys):
    def find_none():
        pytest.fail("a key was asked for")

    out = tmp_path / "out"
    out.mkdir()
    with Journal(out / JOURNAL_FILE) as journal:
        journal.keep_answer("movie/862", TOY)
        journal.keep_poster("/toy.jpg", PosterFolder(out / "posters").write("1.jpg", image()))
        journal.keep_setting("poster_size", "w185")
    assert run_without_server(source, out, find_credential=find_none) == 0
    said = capsys.readouterr().out
    assert "0 requests and 0.0 MB" in said
    assert "not endorsed or certified by TMDB" in said
    with pytest.raises(UsageError, match=r"of the size w185: use --poster-size w185, or another"):
        run_without_server(source, out, poster_size="w342")


def test_without_a_key_nothing_is_written(source, tmp_path):
    with pytest.raises(UsageError, match="TMDB requires a key"):
        run_without_server(
            source, tmp_path / "out", find_credential=lambda: read_credential(None, {})
        )
    assert not (tmp_path / "out").exists()


def test_findings_are_written_as_long_as_there_are_any(source, tmp_path):
    tags, out = source / "tags.csv", tmp_path / "out"
    whole = tags.read_text()
    tags.write_text(f"{whole}2,1, ,5\n3,1,,5\n")
    out.mkdir()
    with Journal(out / JOURNAL_FILE) as journal:
        journal.keep_answer("movie/862", dataclasses.replace(TOY, poster_path=""))
    assert run_without_server(source, out) == 0
    assert read_csv(out / "findings.csv") == [
        ["file", "problem", "rows", "rule", "example"],
        ["tags.csv", "empty tag", "2", "dropped", "2,1, "],
    ]
    tags.write_text(whole)
    assert run_without_server(source, out) == 0
    assert not (out / "findings.csv").exists()


def test_the_tables_of_movielens_are_released(source, tmp_path, monkeypatch):
    tables = []

    def read(*arguments, **options):
        movielens = read_movielens(*arguments, **options)
        tables.extend(map(weakref.ref, (movielens.movies, movielens.links, movielens.tags)))
        return movielens

    def ask(*_):
        assert [table() for table in tables] == [None] * 3
        raise StoppedError

    monkeypatch.setattr(_retrieve, "read_movielens", read)
    monkeypatch.setattr(_retrieve, "Asking", ask)
    with pytest.raises(StoppedError):
        run_without_server(source, tmp_path / "out")
