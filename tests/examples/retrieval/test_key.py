"""The key: reading it, signing requests, and hiding it."""

import logging

import pytest
import requests

from examples.movielens_genres._errors import UsageError
from examples.movielens_genres.retrieval import (
    Credential,
    read_credential,
)
from examples.movielens_genres.retrieval._key import unsigned

from .known import URL
from .tmdb_server import KEY, TOKEN


def signed(credential, url=f"{URL}/movie/1"):
    return requests.Request("GET", url, params={"a": "b"}, auth=credential).prepare()


@pytest.mark.parametrize(
    ("name", "value", "bearer"),
    [
        ("TMDB_API_KEY", KEY, False),
        ("TMDB_API_KEY", f" {KEY}\n", False),
        ("TMDB_API_KEY", TOKEN, True),
        ("TMDB_API_KEY", "another-form", False),
        ("TMDB_BEARER_TOKEN", TOKEN, True),
        ("TMDB_BEARER_TOKEN", "another-form", True),
        ("TMDB_BEARER_TOKEN", KEY.upper(), False),
        ("TMDB_ACCESS_TOKEN", TOKEN, True),
    ],
)
def test_a_key_of_the_environment_signs_requests(name, value, bearer):
    request = signed(read_credential(None, {name: value}))
    if bearer:
        assert request.headers["Authorization"] == f"Bearer {value.strip()}"
        assert request.url == f"{URL}/movie/1?a=b"
    else:
        assert request.url == f"{URL}/movie/1?a=b&api_key={value.strip()}"
        assert "Authorization" not in request.headers


def test_a_key_file_has_precedence_over_the_environment(tmp_path):
    file = tmp_path / "key"
    file.write_text(f"{TOKEN}\n")
    credential = read_credential(str(file), {"TMDB_API_KEY": KEY})
    assert signed(credential).headers["Authorization"] == f"Bearer {TOKEN}"


def test_an_empty_variable_is_ignored():
    environment = {"TMDB_BEARER_TOKEN": "", "TMDB_ACCESS_TOKEN": " ", "TMDB_API_KEY": KEY}
    assert signed(read_credential(None, environment)).url.endswith(f"api_key={KEY}")


def test_a_byte_order_mark_is_not_part_of_a_key(tmp_path):
    path = tmp_path / "key.txt"
    path.write_text(f"{KEY}\n", encoding="utf-8-sig")
    assert signed(read_credential(str(path), {})).url.endswith(f"api_key={KEY}")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("", r"^TMDB requires a key: set TMDB_API_KEY .*settings/api"),
        (" \n", r"^TMDB requires a key"),
        ("secret words", r"^The variable TMDB_API_KEY contains blanks, line breaks or non-ASCII"),
        ("secret\nwords", r"contains blanks"),
        ("secrét", r"contains blanks, line breaks or non-ASCII letters"),
    ],
)
def test_an_invalid_key_is_reported_and_not_shown(value, message):
    with pytest.raises(UsageError, match=message) as caught:
        read_credential(None, {"TMDB_API_KEY": value})
    assert "secr" not in str(caught.value)


def test_a_missing_key_or_file_is_reported(tmp_path):
    with pytest.raises(UsageError, match=r"set TMDB_API_KEY or TMDB_BEARER_TOKEN .*--key-file"):
        read_credential(None, {})
    with pytest.raises(UsageError, match=r"file of --key-file cannot be read \(No such file"):
        read_credential(str(tmp_path / "none"), {})
    file = tmp_path / "key"
    file.write_bytes(b"\xff\xfesecret")
    with pytest.raises(UsageError, match=r"key' contains blanks, line breaks or non-ASCII letters"):
        read_credential(str(file), {})


def test_a_key_is_not_printed():
    credential = Credential(KEY, bearer=False)
    assert KEY not in f"{credential} {credential!r} {[credential]}"
    assert "bearer=False" in repr(credential)


def test_logs_do_not_show_the_key(caplog):
    caplog.set_level(logging.DEBUG)
    logger = logging.getLogger("urllib3.connectionpool")
    credential = Credential("a+b/c", bearer=False)
    with credential.hidden_in_logs():
        logger.debug('"GET %s HTTP/1.1" %s', "/3?api_key=a%2Bb%2Fc", 200)
        logger.warning("a+b/c")
        logger.warning("%s left alone", "rest")
    logger.warning("a+b/c afterwards")
    assert caplog.messages == [
        '"GET /3?api_key=[key hidden] HTTP/1.1" 200',
        "[key hidden]",
        "rest left alone",
        "a+b/c afterwards",
    ]


@pytest.mark.parametrize(
    ("auth", "header"),
    [
        (Credential(TOKEN, bearer=True), f"Bearer {TOKEN}"),
        (Credential(KEY, bearer=False), None),
        (unsigned, None),
    ],
    ids=["token", "key", "none"],
)
def test_netrc_does_not_replace_the_key(tmp_path, monkeypatch, auth, header):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine tmdb.example login me password mine\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with requests.Session() as session:
        plain = session.prepare_request(requests.Request("GET", URL))
        assert plain.headers["Authorization"].startswith("Basic")
        request = session.prepare_request(requests.Request("GET", URL, auth=auth))
    assert request.headers.get("Authorization") == header
