"""The options of the command."""

import argparse
import sys

import pytest

from examples.movielens_genres.__main__ import main
from examples.movielens_genres._errors import UsageError
from examples.movielens_genres.commands._retrieve import RETRIEVE
from examples.movielens_genres.retrieval import (
    RetrieveOptions,
)

from .known import URL
from .tmdb_server import KEY, TOKEN


def parse(*arguments):
    parser = argparse.ArgumentParser()
    RETRIEVE.add_parser(parser.add_subparsers())
    given = ["retrieve", "--movielens", "a", "--out", "b", *arguments]
    return RETRIEVE.parse(parser.parse_args(given))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rate", "0"], r"^--rate must be above 0 and below 10,000,000, not 0\.0\.$"),
        (["--rate", "nan"], r"^--rate must be above 0 .* not nan"),
        (["--timeout", "-1"], r"^--timeout must be above 0"),
        (["--timeout", "inf"], r"^--timeout must be above 0 and below 10,000,000, not inf"),
        (["--patience", "0"], r"^--patience must be above 0"),
        (["--connections", "0"], r"^--connections must be at least 1, not 0\.$"),
        (["--connections", "101"], r"^--connections must be at most 100, not 101\.$"),
        (["--attempts", "0"], r"^--attempts must be at least 1"),
        (["--limit", "0"], r"^--limit must be at least 1"),
        (["--api-url", "http://tmdb.example/3"], r"must begin with https://.* 'http://tmdb"),
        (["--api-url", "https://[::1/3"], r"is not a URL; TMDB's is https"),
        (["--api-url", f"https://tmdb.example:{KEY}/3"], r"is not a URL; TMDB's is https"),
        (["--api-url", f"{URL}?api_key={KEY}"], r"must have no user, query or fragment"),
        (["--api-url", f"https://{KEY}@tmdb.example"], r"must have no user, query"),
    ],
)
def test_wrong_options_are_reported(arguments, message, monkeypatch):
    monkeypatch.setenv("TMDB_API_KEY", KEY)
    with pytest.raises(UsageError, match=message) as caught:
        parse(*arguments)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("wrong", [["--apikey", KEY], [KEY], ["--rate", KEY], ["--help-me", TOKEN]])
def test_a_key_in_a_wrong_place_is_not_shown(wrong, capsys):
    with pytest.raises(SystemExit):
        main(["retrieve", "--movielens", "a", "--out", "b", *wrong])
    said = capsys.readouterr().err
    assert "[a key]" in said
    assert wrong[-1] not in said


def test_the_defaults_of_the_command_are_those_of_its_options(monkeypatch):
    monkeypatch.delenv("TMDB_API_URL", raising=False)
    given = parse()
    expected = RetrieveOptions(given.movielens, given.out, given.find_credential)
    assert given == expected


def test_a_missing_package_is_named(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("examples.movielens_genres.retr")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "requests", None)
    with pytest.raises(
        UsageError, match=r"needs the package 'requests'; run pip install -r .*/requirements.txt\.$"
    ):
        parse()
